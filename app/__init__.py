"""Mboka: the population register and civil registration service of a commune or of the province."""
