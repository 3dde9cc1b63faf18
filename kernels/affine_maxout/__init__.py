"""Linear maps followed by the maximum over pieces."""
