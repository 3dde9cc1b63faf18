"""One module per verb of the workflow: files and settings in, a record and its files out."""
