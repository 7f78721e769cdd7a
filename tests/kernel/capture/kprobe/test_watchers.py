"""Ten thousand processes that sat in accept() before the tier came, and die there."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from connscope.capture.kprobe.tier import KprobeTier
from connscope.capture.kprobe.watchers import threads_in_accept
from connscope.config import Config
from connscope.kernel.kprobes import Kprobes
from tests.kernel.recorder import PATIENCE_S
from tests.kernel.tiers_here import HAS_KPROBES
from tests.traffic.build import built

SITTERS = 10_000
"""Also in a machine that is emulated: a smaller crowd would not reach over a batch of the map."""

ROOM = 16_384
"""Of the map."""

FORK_PATIENCE_S = 4 * PATIENCE_S


class Sitters:
    """The processes; `kill` ends all of them where they sit."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [built("sitters"), str(SITTERS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._parent.stdout
        assert json.loads(self._parent.stdout.readline()) == {"sitters": SITTERS}
        until(lambda: len(threads_in_accept()) >= SITTERS)

    def kill(self) -> None:
        """Waits until they are dead."""
        said, _ = self._parent.communicate(timeout=FORK_PATIENCE_S)
        assert json.loads(said) == {"killed": SITTERS}

    def close(self) -> None:
        """Ends what is left."""
        self._parent.kill()
        self._parent.wait()


def until(is_so: Callable[[], bool]) -> None:
    """Waits for it."""
    end = time.monotonic() + FORK_PATIENCE_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.1)


def watched(tier: KprobeTier) -> set[int]:
    """The numbers of the threads in the map."""
    return set(tier.map("watched_threads").read(np.uint32, np.uint32)[0].tolist())


def probed() -> bool:
    """Whether anybody's probes for watched threads are there."""
    with Kprobes() as kprobes:
        return "fd_install" in kprobes.defined() or "do_exit" in kprobes.defined()


if HAS_KPROBES:

    @pytest.fixture
    def sitters() -> Iterator[Sitters]:
        """They sit."""
        made = Sitters()
        yield made
        made.close()

    def test_ten_thousand_that_die_in_accept(sitters: Sitters):
        """Each is watched; killed there, none is any more, and the probes are gone."""
        with KprobeTier(Config()) as tier:
            assert len(watched(tier)) >= SITTERS
            assert probed()
            sitters.kill()
            until(lambda: not watched(tier))
            tier.look()
            assert not probed()
            assert not tier.losses().owners

    def test_more_than_can_be_watched(monkeypatch: pytest.MonkeyPatch):
        """Whose accept is not seen is counted among the owners that are not known."""
        threads = list(range(1, ROOM + 6))
        monkeypatch.setattr("connscope.capture.kprobe.watchers.threads_in_accept", lambda: threads)
        with KprobeTier(Config()) as tier:
            assert tier.losses().owners == 5
            tier.look()
            assert not probed()  # none of them really was in accept
