"""Figures: what each row counts for (the projector), and the answers planners and clerks read from the rollups."""
