"""What connscope can do on this machine, found out by trying."""
