"""The ways to count UDP calls that this kernel has."""

from __future__ import annotations

import os

from connscope.capture.objects import object_path
from connscope.errors import KernelError, NotSupportedError
from connscope.kernel import BpfObject, Btf
from connscope.kernel.host.lockdown import read_lockdown

__all__ = ("WAYS_HERE",)

IS_GUEST = os.environ.get("TEST_FEXIT") == "1"
"""Another kernel, which may lack something; elsewhere what does not load is a failure."""

HAS_FEXIT = IS_GUEST and read_lockdown() != "confidentiality"
"""The name is read by a probe, which that lockdown forbids."""


def _has_calls() -> bool:
    """Tracepoints, and task storage in cgroup programs: 6.12 has the one without the other."""
    calls = BpfObject(object_path("udp_calls"))
    try:
        with Btf.of_kernel() as kernel:
            if not kernel.has_function("__traceiter_sock_send_length"):
                return False
        if IS_GUEST:
            calls.load()
    except NotSupportedError:
        return False
    except KernelError:
        return True  # a test shall say why
    finally:
        calls.close()
    return True


WAYS_HERE = [*(["udp_fexit"] if HAS_FEXIT else []), *(["udp_calls"] if _has_calls() else [])]
"""Names of objects, best first."""
