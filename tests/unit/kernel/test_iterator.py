"""Reading a walk that pauses."""

from __future__ import annotations

import os
import threading

import numpy as np

from connscope.kernel.iterator import _read_some


def test_walk_that_found_nothing_for_long_goes_on() -> None:
    """EAGAIN is the kernel's breath after a million objects, not the end."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    room, got = np.zeros(8, np.uint8), list[int]()
    reader = threading.Thread(target=lambda: got.append(_read_some(reading, room)))
    reader.start()
    os.write(writing, b"records!")
    reader.join(10)
    os.close(reading)
    os.close(writing)
    assert (got, room.tobytes()) == ([8], b"records!")
