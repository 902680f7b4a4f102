"""Tests of access: officers, roles, sessions, jurisdiction, the journal of reads, replay."""
