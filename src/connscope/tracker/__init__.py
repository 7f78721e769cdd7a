"""Which connections exist now and which ended, always right, whatever happens to the capture."""
