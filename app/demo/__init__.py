"""Synthetic people for the demonstration: Kintambo's census and Kimbanseke's births as plain dictionaries.

Every person here is invented; nothing in this package opens a database or knows how the register works.
"""
