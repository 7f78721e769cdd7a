"""Where a kernel without BTF keeps the fields that the kprobe tier reads: found out by trying."""
