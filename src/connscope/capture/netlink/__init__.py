"""The netlink tier: sock_diag, which every kernel since 3.3 has, with or without BPF."""
