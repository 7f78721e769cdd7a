"""A guess is kept for one boot of one kernel, and only what root alone has written is trusted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connscope.capture.kprobe import offsets
from connscope.capture.kprobe.guess.fields import FIELDS
from connscope.capture.kprobe.offsets import Offsets, OffsetStore, find_offsets
from connscope.errors import FailedError, NotSupportedError

AT = {field.name: 8 * place for place, field in enumerate(FIELDS)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a guess that is kept."""
    kept = tmp_path / "offsets"
    OffsetStore(kept).write(AT)
    return kept


def test_what_was_kept_is_found(path: Path):
    """By the next process."""
    assert OffsetStore(path).read() == AT
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_is_left_beside_it(path: Path):
    """It is written elsewhere and moved."""
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("what", ["boot", "kernel"])
def test_guess_of_another_boot_or_kernel_is_none(path: Path, what: str):
    """Fields are elsewhere there."""
    kept = json.loads(path.read_text())
    kept["made for"][what] = "another"
    path.write_text(json.dumps(kept))
    assert OffsetStore(path).read() is None


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_what_others_may_write_is_not_trusted(path: Path, mode: int):
    """Whoever says where a field is says what we read."""
    path.chmod(mode)
    assert OffsetStore(path).read() is None


def test_link_is_not_followed(path: Path):
    """It may lead to what somebody else has written."""
    link = path.with_name("link")
    link.symlink_to(path)
    assert OffsetStore(link).read() is None


@pytest.mark.parametrize(
    "at",
    [
        {},
        [],
        AT | {"unheard_of": 8},
        AT | {"state": -1},
        AT | {"state": 1 << 20},
        AT | {"state": "8"},
        {name: place for name, place in AT.items() if name != "state"},
    ],
)
def test_senseless_guess_is_none(path: Path, at: object):
    """It is made again."""
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"at": at}))
    assert OffsetStore(path).read() is None


@pytest.mark.parametrize("text", ["", "{", "[]", "\0"])
def test_file_that_is_no_guess_is_none(path: Path, text: str):
    """Whatever it is."""
    path.write_text(text)
    assert OffsetStore(path).read() is None


def test_guess_is_kept_and_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The first open guesses, the second one reads."""
    made = list[int]()

    class Guess:
        found = AT

    def guess(_: object) -> Guess:
        made.append(1)
        return Guess()

    monkeypatch.setattr(offsets, "offsets_of_btf", _no_btf)
    monkeypatch.setattr(offsets, "guess_offsets", guess)
    store = OffsetStore(tmp_path / "offsets")
    assert find_offsets(None, store) == (AT, "guess")  # type: ignore[arg-type] # nobody probes
    assert find_offsets(None, store) == (AT, "kept")  # type: ignore[arg-type] # the same
    assert made == [1]


def test_failed_guess_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its error is told."""

    def fail(_: object) -> None:
        raise FailedError("guessing field offsets", "field state")

    monkeypatch.setattr(offsets, "offsets_of_btf", _no_btf)
    monkeypatch.setattr(offsets, "guess_offsets", fail)
    store = OffsetStore(tmp_path / "offsets")
    with pytest.raises(FailedError, match="field state"):
        find_offsets(None, store)  # type: ignore[arg-type] # nobody probes
    assert store.read() is None


def test_as_much_of_a_socket_is_copied_as_is_read():
    """Up to behind its last field, and not what belongs to other structures."""
    knobs = Offsets({"state": 18, "min_rtt": 1697, "task_start": 3000}, "btf").knobs
    assert knobs == {
        "at_state": 18,
        "at_min_rtt": 1697,
        "at_task_start": 3000,
        "socket_bytes": 1704,
    }


def test_socket_that_is_too_large_is_refused():
    """Nothing is taken for zero that was not copied."""
    with pytest.raises(NotSupportedError, match="4104"):
        _ = Offsets({"min_rtt": 4096}, "btf").knobs


def _no_btf() -> None:
    raise NotSupportedError("BTF of the kernel", "there is none")
