"""The books: offices, volumes, the four volets of a sheet, declarations waiting for a number."""
