"""Tells a server what this machine's connections are: two processes, one of them without rights."""
