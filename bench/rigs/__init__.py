"""What the measurements stand on: programs under test, networks, counters."""
