"""The kernels and the conditions that connscope is tested under: the one list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = (
    "BRIEF",
    "CONDITIONS",
    "HEART",
    "KERNELS",
    "NEWEST",
    "PLAIN",
    "SELECTED",
    "Condition",
    "Kernel",
    "kernel_named",
)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel of Debian's archive.

    Attributes:
        name: what ``KERNEL=`` takes.
        series: how its version begins; the newest of these is taken.
        suites: where it is looked for.
        lacks: tier → why it can not be had there.
    """

    name: str
    series: str
    suites: tuple[str, ...]
    lacks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Condition:
    """A way to make it harder.

    Attributes:
        name: in words.
        boot: put on the command line of the kernel; conditions with the same share a boot.
        prepare: shell commands, run in a mount namespace of its own.
        tests: what is run, for all tiers.
        environment: for the tests.
        lacks: tier → why it can not be had there.
    """

    name: str
    boot: str = ""
    prepare: str = "true"
    tests: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)


KERNELS = (
    Kernel(
        "5.10",
        "5.10.",
        ("bullseye", "bullseye-security"),
        lacks={"btf": "socket storage in tracing programs came with 5.11"},
    ),
    Kernel("6.1", "6.1.", ("bookworm", "bookworm-security")),
    Kernel("6.12", "6.12.", ("trixie", "trixie-security")),
    Kernel("6.x", "6.", ("trixie-backports",)),
    Kernel("7.x", "7.", ("trixie-backports", "sid")),
)
NEWEST = KERNELS[-1]
SELECTED = ("6.1", NEWEST.name)
"""What is run if nobody says which, for example by the gate."""

ROOM = "tests/kernel/capture"
HEART = f"{ROOM}/test_contract.py"
"""What the gate has time for."""

BRIEF = tuple(f"{ROOM}/test_contract{part}.py" for part in ("", "_failures", "_openings"))
"""The core of the contract: what opens, moves bytes, closes and fails, in each tier."""

WHOLE = tuple(
    f"{ROOM}/test_{name}.py"
    for name in (
        *("contract", "contract_failures", "contract_openings", "accept_owner"),
        *("contract_endings", "contract_network", "contract_older", "contract_udp"),
    )
)
"""And how it ends, over which network, UDP, and what is older than the tier: what a machine that is
emulated gets through in ten minutes."""

PLAIN = Condition("as it is", tests=WHOLE)
CONDITIONS = (
    PLAIN,
    Condition(
        "BTF hidden",
        # libbpf looks there first, then beside the kernel's files, of which a guest has none.
        prepare="mount -t tmpfs none /sys/kernel/btf",
        tests=BRIEF,
        lacks={"btf": "its programs are fitted to the kernel by BTF"},
    ),
    Condition(
        "no tracefs",
        prepare="umount -l /sys/kernel/debug/tracing /sys/kernel/tracing /sys/kernel/debug"
        " 2>/dev/null; ! test -e /sys/kernel/tracing/events",
        tests=BRIEF,
    ),
    Condition(
        "lockdown=confidentiality",
        boot="lockdown=confidentiality",
        tests=BRIEF,
        lacks={"kprobe": "the kernel allows no kprobes then"},
    ),
    Condition(
        "ipv6.disable=1",
        boot="ipv6.disable=1",
        tests=BRIEF,
        environment={"TEST_FAMILIES": "4"},
    ),
)


def kernel_named(name: str) -> Kernel:
    """The kernel of the list with that name.

    Raises:
        ValueError: there is none; the message names those that there are.
    """
    for kernel in KERNELS:
        if kernel.name == name:
            return kernel
    names = ", ".join(kernel.name for kernel in KERNELS)
    raise ValueError(f"there is no kernel {name} in the list; there are {names}")
