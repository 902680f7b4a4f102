"""Benchmarks: each prints its limit measured in the same run, our figure, and their ratio. No test asserts a time."""
