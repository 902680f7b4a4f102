"""Faults put on real processes: what was acknowledged must still be there, once."""
