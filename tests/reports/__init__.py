"""Reports on paper: each against a month, an index and a volume counted by hand."""
