"""The losses of both players."""
