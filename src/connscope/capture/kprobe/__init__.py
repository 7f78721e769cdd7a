"""The kprobe tier: probes at functions of a kernel whose types nobody knows."""
