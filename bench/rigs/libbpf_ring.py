"""The rival's way to read a ring: libbpf's consumer, a callback for each event, struct.unpack."""

from __future__ import annotations

import struct
from typing import Any

import cffi

from connscope.kernel.resource import Resource
from connscope.row.columns import ROW

__all__ = ("LibbpfRing", "run_program")

DECLARATIONS = """
    typedef int (*ring_buffer_sample_fn)(void *context, void *data, size_t size);
    struct ring_buffer;
    struct ring_buffer *ring_buffer__new(int fd, ring_buffer_sample_fn callback, void *context,
                                         const void *options);
    int ring_buffer__consume(struct ring_buffer *ring);
    void ring_buffer__free(struct ring_buffer *ring);
    struct bpf_test_run_opts {
        size_t sz;
        const void *data_in; void *data_out; uint32_t data_size_in; uint32_t data_size_out;
        const void *ctx_in; void *ctx_out; uint32_t ctx_size_in; uint32_t ctx_size_out;
        uint32_t retval; int repeat; uint32_t duration; uint32_t flags; uint32_t cpu;
        uint32_t batch_size;
    };
    int bpf_prog_test_run_opts(int fd, struct bpf_test_run_opts *options);
"""
ROW_STRUCT = struct.Struct("=11Q16s16s16s17I5H10B")
if ROW_STRUCT.size != ROW.itemsize:
    raise ImportError("the row has other columns now: mend ROW_STRUCT")

ffi = cffi.FFI()
ffi.cdef(DECLARATIONS)
libbpf: Any = ffi.dlopen("libbpf.so.1")


class LibbpfRing(Resource):
    """libbpf's own reader of a ring buffer map.

    Args:
        fd: of the map.
    """

    def __init__(self, fd: int) -> None:
        self.events: list[tuple[Any, ...]] = []
        self._callback = ffi.callback("ring_buffer_sample_fn", self._take)
        self._ring = libbpf.ring_buffer__new(fd, self._callback, ffi.NULL, ffi.NULL)
        if self._ring == ffi.NULL:
            raise OSError(ffi.errno, "ring_buffer__new")

    def _take(self, _context: Any, data: Any, size: int) -> int:
        self.events.append(ROW_STRUCT.unpack(ffi.buffer(data, size)))
        return 0

    def consume(self) -> int:
        """Takes what is there; how many events that was."""
        count: int = libbpf.ring_buffer__consume(self._ring)
        if count < 0:
            raise OSError(-count, "ring_buffer__consume")
        return count

    def close(self) -> None:
        """Unmaps the ring."""
        libbpf.ring_buffer__free(self._ring)


def run_program(fd: int) -> None:
    """Runs a BPF program once, here and now.

    Raises:
        OSError: the kernel refuses.
    """
    options = ffi.new("struct bpf_test_run_opts *", {"sz": ffi.sizeof("struct bpf_test_run_opts")})
    result = libbpf.bpf_prog_test_run_opts(fd, options)
    if result:
        raise OSError(-result, "bpf_prog_test_run")
