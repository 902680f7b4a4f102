"""Tests of app.keeping_safe."""
