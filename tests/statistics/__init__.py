"""Figures: what counts, who sees it, and how it is written down."""
