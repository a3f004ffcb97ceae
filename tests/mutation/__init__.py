"""Mutants of the rooms that decide: how much of what could be wrong in them the unit tests would see."""
