"""A labelled set of records of births: which tell of one child is known. Imports nothing of the program."""
