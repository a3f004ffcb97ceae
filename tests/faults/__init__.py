"""Faults while a launch file is written: kills, errors of the system, full disks, crowds. Nothing may be lost."""
