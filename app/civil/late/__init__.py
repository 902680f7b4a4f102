"""Births declared out of the legal delay: the case file with its dated steps, courts and campaigns."""
