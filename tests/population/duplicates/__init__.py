"""Tests of app.population.duplicates."""
