"""The door to the kernel's sockets that needs no BPF: sock_diag over netlink.

AF_NETLINK is spoken here and nowhere else.
"""
