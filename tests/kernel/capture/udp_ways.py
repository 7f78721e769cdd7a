"""The ways to count UDP calls that this kernel has."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeAlias

from connscope.capture.btf.tier import BtfTier
from connscope.capture.objects import object_path
from connscope.config import Config
from connscope.errors import KernelError
from connscope.kernel import BpfObject

__all__ = ("WAYS_HERE", "Counting")

Counting: TypeAlias = Callable[[Config], BtfTier]
"""Makes a tier that counts flows; one that is not btf is like it."""

IS_GUEST = os.environ.get("TEST_FEXIT") == "1"
"""Another kernel, which may lack one of them; elsewhere what does not load is a failure."""


SENDPAGE = ("begin_sendpage", "sendpage")  # until 6.5


def _loads(name: str, without: tuple[str, ...] = ()) -> bool:
    calls = BpfObject(object_path(name))
    try:
        for program in without:
            calls.programs[program].autoload = False
        calls.load()
    except KernelError:
        return False
    finally:
        calls.close()
    return True


def _ways() -> list[str]:
    """Of a guest those that load: 6.1 and 6.12 have only fexit."""
    if not IS_GUEST:
        return ["udp_calls"]
    has_fexit = _loads("udp_fexit") or _loads("udp_fexit", SENDPAGE)
    return ["udp_fexit"] * has_fexit + ["udp_calls"] * _loads("udp_calls")


WAYS_HERE = _ways()
"""Names of objects, best first."""
