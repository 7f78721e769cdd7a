"""What the machine looks like, against the kernel's own files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from connscope.doctor.examination import Rung, conclude
from connscope.doctor.machine import Machine, look_at_machine
from connscope.errors import FailedError, KernelError, NotPermittedError, NotSupportedError
from connscope.kernel.feature import Outcome
from connscope.row.words import Tier, word


def machine(libbpf: str = "1.1") -> Machine:
    """A machine of which only the version of libbpf matters."""
    return Machine("6.1", "x86_64", True, "none", libbpf, (), (), {}, True, -1)


def test_machine_is_this_one() -> None:
    """Release, architecture and BTF are what the kernel says."""
    found = look_at_machine()

    assert (found.kernel, found.architecture) == (os.uname().release, os.uname().machine)
    assert found.btf == Path("/sys/kernel/btf/vmlinux").exists()
    assert set(found.mounts) == {"cgroup2", "tracefs", "bpf", "securityfs", "debugfs"}


def test_every_capability_is_held_or_missing() -> None:
    """No capability is in both lists or in none."""
    found = look_at_machine()

    assert not set(found.capabilities) & set(found.missing_capabilities)
    assert "CAP_BPF" in found.capabilities + found.missing_capabilities


FAILED = FailedError("btf", "broken")
NOT_PERMITTED = NotPermittedError("btf", "needs CAP_BPF", ("CAP_BPF",))
NO_LIBBPF = NotSupportedError("libbpf", "libbpf.so.1 not found")
WITH_NETLINK = "connscope captures with netlink here, which sees less than btf"


@pytest.mark.parametrize(
    ("errors", "libbpf", "sentence", "command"),
    [
        ((None, None), "1.1", "connscope captures every TCP connection here, with btf.", ""),
        (
            (NOT_PERMITTED, None),
            "1.1",
            f"{WITH_NETLINK}: that needs CAP_BPF.",
            "sudo connscope trace",
        ),
        (
            (NO_LIBBPF, None),
            "",
            f"{WITH_NETLINK}: libbpf is missing.",
            "sudo apt-get install libbpf1",
        ),
        ((FAILED, FAILED), "1.1", "connscope can not capture here: broken.", ""),
    ],
    ids=["works", "not permitted", "no libbpf", "failed"],
)
def test_conclusion(
    errors: tuple[KernelError | None, ...], libbpf: str, sentence: str, command: str
) -> None:
    """One sentence, and the command that mends it where one does."""
    ladder = [
        Rung(tier, Outcome(word(tier), error))
        for tier, error in zip((Tier.BTF, Tier.NETLINK), errors, strict=True)
    ]
    assert conclude(ladder, machine(libbpf)) == (sentence, command)
