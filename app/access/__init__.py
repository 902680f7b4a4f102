"""Who may do what: officers, their roles and sessions, jurisdiction, the journal of reads, replay of writes.

Knows nothing of persons or acts; devices and grants live with the ledger."""
