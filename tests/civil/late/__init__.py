"""Tests of civil registration."""
