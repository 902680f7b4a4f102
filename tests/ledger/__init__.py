"""Tests of app.ledger: the door, the feed, enrolment, relay and trays."""
