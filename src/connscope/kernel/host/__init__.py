"""What machine this is and what we may do on it: capabilities, lockdown, mounts, clocks, counters."""
