"""Differential tests: what the engine says of a launch file against what the real readers do with the same bytes."""
