"""Households and persons: their register tables, search, reading and changing them by a clerk."""
