"""Inverted dropout with reproducible masks."""
