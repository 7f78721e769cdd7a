"""The offset guess on the running kernel: it finds what BTF says, or it is refused with why."""

from __future__ import annotations

import pytest

from connscope.capture.kprobe.guess.candidates import OffsetGuess
from connscope.capture.kprobe.guess.fields import FIELDS
from connscope.capture.kprobe.guess.witness import CONNECTIONS_MAX, guess_offsets
from connscope.errors import NotSupportedError
from connscope.kernel import Btf
from connscope.kernel.kprobes import Kprobes
from tests.kernel.tiers_here import HAS_KPROBES


def guessed() -> OffsetGuess:
    """The fields, found without BTF."""
    with Kprobes() as kprobes:
        return guess_offsets(kprobes)


def probes_of(group: str) -> list[str]:
    """The probes that are left of a group."""
    with Kprobes() as kprobes:
        text = kprobes.defined()
    return [line for line in text.splitlines() if group in line]


if HAS_KPROBES:

    def test_guess_is_what_btf_says():
        """Every field that is found is where BTF has it, and all that are required are found."""
        guess = guessed()
        with Btf.of_kernel() as types:
            truth = {each.name: types.offset(*each.btf) for each in FIELDS}
        assert guess.found == {name: truth[name] for name in guess.found}
        assert {each.name for each in FIELDS if each.required} <= set(guess.found)

    def test_guess_needs_few_connections():
        """tcptracer-bpf needs hundreds, one for each place."""
        assert guessed().connections < CONNECTIONS_MAX // 10

    def test_guess_leaves_no_probe():
        """Neither attached nor defined."""
        with Kprobes() as kprobes:
            guess_offsets(kprobes)
            group = kprobes.group
        assert probes_of(group) == []

else:

    def test_kernel_without_kprobes_is_refused():
        """With the reason, before anything is loaded."""
        with pytest.raises(NotSupportedError, match="no kprobes"):
            guessed()
