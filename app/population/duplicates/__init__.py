"""One person twice in the registers: candidates with reasons and a score, decided by a person."""
