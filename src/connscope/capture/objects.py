"""The built BPF objects of this package, and the maps that they share."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from connscope.kernel import BpfObject

__all__ = ("lend_maps", "object_path")

DIRECTORY = Path(__file__).parents[1] / "bpf"


def object_path(name: str) -> Path:
    """Where the built object of ``bpf/NAME.bpf.c`` is."""
    return DIRECTORY / f"{name}.bpf.o"


def lend_maps(lender: BpfObject, borrower: BpfObject, but: Collection[str] = ()) -> None:
    """Gives every map that both declare to the borrower, which is not loaded yet; what the one
    leaves out the other leaves out too.

    Args:
        lender: loaded.
        borrower: not loaded yet.
        but: names of those that the borrower makes itself.
    """
    for name, borrowed in borrower.maps.items():
        if name not in lender.maps or name in but:
            continue
        if lender.maps[name].is_left_out:
            borrowed.leave_out()
        else:
            borrowed.reuse(lender.maps[name])
