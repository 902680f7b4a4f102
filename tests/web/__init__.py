"""Tests of the edge of the server: problems and request bodies."""
