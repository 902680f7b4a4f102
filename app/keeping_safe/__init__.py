"""A node without an administrator keeps what it holds: encrypted backups, restoring them on either engine, and
rebuilding the registers from the signed batches."""
