"""The Family Code as pure functions over dated rules: no database, no clock, no HTTP. A rule that changes on a day
is one more row in `data/`."""
