"""The command line: one file for each command."""

import os

# connscope computes on small columns; OpenBLAS would keep buffers for a thread on each CPU.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
