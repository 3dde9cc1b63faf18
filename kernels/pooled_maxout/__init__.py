"""The maximum over channel pieces and spatial windows."""
