"""An object file before it is loaded: nothing here needs a kernel or rights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connscope.errors import FailedError, KernelError, UsageError
from connscope.kernel import BpfObject
from connscope.kernel.btf import Field, Variable

PATH = Path(__file__).parents[2] / "kernel/objects/library.bpf.o"


@pytest.fixture
def library() -> Iterator[BpfObject]:
    """The test object, opened."""
    with BpfObject(PATH) as opened:
        yield opened


def test_object_names_its_parts(library: BpfObject) -> None:
    """Programs and maps are found by their names in the source; global variables are no maps."""
    assert library.name == "library"
    assert set(library.programs) == {"write_records", "walk_elements", "collect_elements"}
    assert set(library.maps) == {
        "elements", "places", "cells", "next_numbers", "counts", "ring", "samples", "collected",
        "collected_count",
    }  # fmt: skip
    assert library.programs["write_records"].section == "tp_btf/task_rename"
    assert library.programs["walk_elements"].is_iterator


def test_map_knows_its_sizes(library: BpfObject) -> None:
    """Type, key, value and number of entries are those of the source."""
    places = library.maps["places"]
    assert (places.type, places.key_size, places.value_size) == (5, 4, 12)
    places.resize(128)
    assert places.max_entries == 128


def test_knob_that_does_not_exist_is_refused_by_name(library: BpfObject) -> None:
    """A typing error is told, not ignored."""
    with pytest.raises(UsageError, match="library has no global variable 'wathced_pid'"):
        library.set(wathced_pid=1)


@pytest.mark.parametrize(
    ("knob", "low", "high"),
    [
        ("discard_every", 0, 2**8 - 1),
        ("records_per_run", 0, 2**16 - 1),
        ("watched_pid", 0, 2**32 - 1),
        ("mark", 0, 2**64 - 1),
        ("shift8", -(2**7), 2**7 - 1),
        ("shift16", -(2**15), 2**15 - 1),
        ("shift32", -(2**31), 2**31 - 1),
        ("shift64", -(2**63), 2**63 - 1),
    ],
)
def test_knob_takes_what_its_type_holds(library: BpfObject, knob: str, low: int, high: int) -> None:
    """Both ends of the range fit, one more does not, and the message says why."""
    library.set(**{knob: low})
    library.set(**{knob: high})
    for value in (low - 1, high + 1):
        with pytest.raises(UsageError, match=rf"{value} does not fit {knob}: (un)?signed, \d+ b"):
            library.set(**{knob: value})


def test_array_knob_takes_bytes(library: BpfObject) -> None:
    """As many as there is room for."""
    library.set(label=b"ab")
    with pytest.raises(UsageError, match="4 bytes do not fit label of 3"):
        library.set(label=b"abcd")


def test_btf_describes_the_variables(library: BpfObject) -> None:
    """Section, size and sign come from the object's own types, through qualifiers and typedefs."""
    variables = library.btf.variables()
    assert variables["shift16"][2:] == (2, True)
    assert variables["mark"][2:] == (8, False)
    assert variables["label"] == Variable(".rodata", variables["label"].offset, 3, signed=False)


def test_btf_describes_a_struct(library: BpfObject) -> None:
    """Offsets and sizes are those that the compiler chose."""
    names = ("attempted", "lost", "discarded")
    counts = tuple(Field(name, 8 * index, 8) for index, name in enumerate(names))
    assert library.btf.struct("library_counts") == counts
    assert library.btf.struct("place") == (Field("words", 0, 12),)
    assert library.btf.struct("no_such_struct") == ()


def test_btf_is_gone_with_its_object() -> None:
    """Types of a closed object are an error, not memory of somebody else."""
    with BpfObject(PATH) as opened:
        types = opened.btf
    with pytest.raises(UsageError, match="gone"):
        types.variables()


def test_parts_are_gone_with_their_object() -> None:
    """Maps and programs of a closed object are an error, not memory of somebody else."""
    with BpfObject(PATH) as opened:
        ring, program = opened.maps["ring"], opened.programs["write_records"]
    with pytest.raises(UsageError, match="map ring is gone"):
        ring.get(b"")
    with pytest.raises(UsageError, match="program write_records is gone"):
        program.attach()
    with pytest.raises(UsageError, match="object library is closed"):
        opened.load()


def test_close_twice_is_fine() -> None:
    """The second call does nothing."""
    opened = BpfObject(PATH)
    opened.close()
    opened.close()


def test_map_before_load_says_what_to_do(library: BpfObject) -> None:
    """There is no fd yet."""
    with pytest.raises(UsageError, match="load its object first"):
        library.maps["cells"].get(bytes(4))


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    """As with every file."""
    with pytest.raises(FileNotFoundError):
        BpfObject(tmp_path / "none.bpf.o")


def test_file_of_another_kind_is_refused_by_its_path(tmp_path: Path) -> None:
    """It is no BPF object, whatever its name says."""
    path = tmp_path / "text.bpf.o"
    path.write_text("hello")
    with pytest.raises(FailedError, match=rf"object {path}: .*"):
        BpfObject(path)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=40))
def test_damaged_object_is_refused_or_opened(at: int, garbage: bytes) -> None:
    """A file with wrong bytes near its beginning ends in an object or a KernelError."""
    content = bytearray(PATH.read_bytes())
    at %= 64
    content[at : at + len(garbage)] = garbage
    damaged = Path("/dev/shm") / f"connscope-damaged-{at}.bpf.o"  # noqa: S108 # memory, made here
    damaged.write_bytes(content)
    try:
        BpfObject(damaged).close()
    except KernelError:
        pass
    finally:
        damaged.unlink()
