"""The audit of a whole node."""
