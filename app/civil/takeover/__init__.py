"""Acts on paper or in a spreadsheet enter the register, keyed once or twice; app/civil/reprise.py has the rules."""
