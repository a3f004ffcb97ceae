"""The probe laboratory: everything that a probe can meet, made for real on the embedded fleet. See docs/probe.md."""
