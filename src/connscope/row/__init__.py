"""The row: one connection, as the kernel programs write it and as everything above reads it."""
