"""Tests of the protocol's pure core."""
