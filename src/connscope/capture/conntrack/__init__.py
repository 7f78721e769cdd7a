"""UDP flows as conntrack tells them, for tiers that have no way into the kernel's own calls."""
