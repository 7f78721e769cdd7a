"""Runs the kernel tests on other kernels: Debian's, in virtual machines, one after the other."""
