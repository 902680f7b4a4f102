"""Documents delivered from the registers: copies, extracts, receipts, their seal, and the reports of a commune."""
