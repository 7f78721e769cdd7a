"""What one agent knew in one look, to be sent to a server: full and deltas, merge, the format."""
