"""A real enforce, disturbed at a chosen step in a chosen way; what the next run makes of what is left."""
