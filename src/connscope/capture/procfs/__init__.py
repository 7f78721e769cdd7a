"""The procfs tier: what /proc tells to anybody."""
