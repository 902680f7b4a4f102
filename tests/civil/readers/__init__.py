"""Tests of app/civil/readers."""
