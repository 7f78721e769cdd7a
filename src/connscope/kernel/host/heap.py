"""What becomes of memory that was freed: it stays for the next batch, or goes back."""

from __future__ import annotations

import ctypes

__all__ = ("give_back_freed_memory", "keep_freed_memory")

# <malloc.h> of glibc, mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 32 << 20  # the most that M_MMAP_THRESHOLD takes


def keep_freed_memory() -> None:
    """Tells glibc not to give freed memory back to the kernel; another C library does as it likes.

    A batch becomes text in arrays of some MB. By default each is given back at once, and the next
    batch gets it again page by page: that took longer than all the rest of the work.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    for parameter in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
        mallopt(parameter, KEPT_BYTES)


def give_back_freed_memory() -> None:
    """Gives what is free in glibc's heap back to the kernel.

    To load BPF objects takes the types of the whole kernel into memory: 11 MB that are never needed
    again, and that glibc keeps.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return
