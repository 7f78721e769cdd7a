"""Takes the reports of agents, and answers who talks to whom: the API, the feed, the pages.

Unprivileged: knows nothing of kernels and of how connections are captured.
"""
