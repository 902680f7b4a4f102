"""Who read a person's data: the journal of reads told to the person it is about (Digital Code, 23/010)."""
