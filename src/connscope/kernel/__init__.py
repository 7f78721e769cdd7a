"""Doors to the kernel; a library of its own for any object file in libbpf's style.

Example:
    from connscope.kernel import BpfObject, RingBuffer

    with BpfObject("example.bpf.o") as example:
        example.set(target_pid=42)
        example.load()
        example.attach()
        ring = RingBuffer(example.maps["events"], EVENT_DTYPE)
        ring.wait(1.0)
        events = ring.read()

docs/kernel-library.md tells the whole story.
"""

from connscope.kernel.btf import Btf
from connscope.kernel.iterator import BpfIterator
from connscope.kernel.map import BpfMap
from connscope.kernel.mapped_array import MappedArray
from connscope.kernel.object import BpfObject
from connscope.kernel.perf import PerfBuffer
from connscope.kernel.program import BpfLink, BpfProgram
from connscope.kernel.ring import RingBuffer

__all__ = (
    "BpfIterator",
    "BpfLink",
    "BpfMap",
    "BpfObject",
    "BpfProgram",
    "Btf",
    "MappedArray",
    "PerfBuffer",
    "RingBuffer",
)
