"""What the files of /proc say of sockets and of the processes that hold them."""
