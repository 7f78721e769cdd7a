"""What machine this is, what we may do on it, and what its own counters say."""
