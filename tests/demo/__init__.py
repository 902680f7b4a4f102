"""Tests of the demonstration's invented people."""
