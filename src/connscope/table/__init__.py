"""Which connections are open, and what is known of them: pure memory, time is passed in."""
