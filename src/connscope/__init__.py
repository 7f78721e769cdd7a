"""Shows every network connection of a machine: who talks to whom, how much, what failed."""

__version__ = "0.1.0"
