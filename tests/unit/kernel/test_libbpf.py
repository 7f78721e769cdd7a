"""What an errno and libbpf's words amount to."""

from __future__ import annotations

import errno

import pytest

from connscope.errors import FailedError, NotPermittedError, NotSupportedError
from connscope.kernel.libbpf import check, error_from, ffi, library, take_pointer

NOBODY_NEEDS: tuple[str, ...] = ()
STATISTICS = "processed 7 insns (limit 1000000) max_states_per_insn 0\n-- END PROG LOAD LOG --"


def verifier_log(verdict: str) -> str:
    """A log as libbpf passes it on."""
    return f"libbpf: prog 'p': BPF program load failed: x\n0: R1=ctx()\n{verdict}\n{STATISTICS}"


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOSYS, errno.ESRCH, errno.ENOENT, 524])
def test_what_does_not_exist_is_not_supported(number: int) -> None:
    """The errnos for a missing thing are no failure."""
    error = error_from(number, "thing", "libbpf: prog 'p': no such tracepoint\n", NOBODY_NEEDS)
    assert isinstance(error, NotSupportedError)
    assert str(error) == "thing: prog 'p': no such tracepoint"


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        (errno.EINVAL, "invalid func unknown#5000"),
        (errno.EINVAL, "unknown func bpf_new_helper#211"),
        (errno.EINVAL, "failed to resolve CO-RE relocation <byte_off> [5] struct sock.new (0:0)"),
        (errno.EACCES, "calling kernel function bpf_new is not allowed"),
    ],
)
def test_what_the_verifier_does_not_know_is_not_supported(number: int, verdict: str) -> None:
    """A helper, kfunc or field that this kernel lacks is no fault of the program."""
    error = error_from(number, "thing", verifier_log(verdict), NOBODY_NEEDS)
    assert isinstance(error, (NotSupportedError, NotPermittedError))  # lockdown may be the reason
    assert verdict in error.reason


def test_what_the_verifier_refuses_is_failed_and_has_its_verdict() -> None:
    """The reason is the errno and the verdict, the log is everything."""
    log = verifier_log("R0 invalid mem access 'map_value_or_null'")
    error = error_from(errno.EACCES, "loading x", log, NOBODY_NEEDS)
    assert isinstance(error, FailedError)
    assert (error.errno, error.log) == (errno.EACCES, log)
    assert error.reason == ("Permission denied (EACCES): R0 invalid mem access 'map_value_or_null'")


def test_eperm_with_every_capability_names_lockdown() -> None:
    """What forbids it then is not this process."""
    error = error_from(errno.EPERM, "thing", "", NOBODY_NEEDS)
    assert isinstance(error, NotPermittedError)
    assert "lockdown is" in error.reason
    assert error.missing == ()


def test_eperm_names_the_capability_that_nobody_holds() -> None:
    """The reason is what to ask for."""
    error = error_from(errno.EPERM, "thing", "", ("CAP_NO_SUCH",))
    assert isinstance(error, NotPermittedError)
    assert (error.missing, error.reason.split()[1]) == (("CAP_NO_SUCH",), "CAP_NO_SUCH")


def test_verifier_may_ask_for_a_capability_too() -> None:
    """Without CAP_PERFMON it refuses what it would allow with it, so that is what to ask for."""
    log = verifier_log("R1 pointer comparison prohibited")
    error = error_from(errno.EACCES, "thing", log, ("CAP_NO_SUCH",))
    assert isinstance(error, NotPermittedError)
    assert error.missing == ("CAP_NO_SUCH",)


def test_libbpf_own_error_is_told_as_such() -> None:
    """Numbers from 4000 are not errnos."""
    error = error_from(4003, "object x", "libbpf: elf: endianness mismatch", NOBODY_NEEDS)
    assert str(error) == "object x: libbpf error 4003: elf: endianness mismatch"


def test_missing_libbpf_names_the_package() -> None:
    """Whoever lacks the library is told what to type."""
    with pytest.raises(NotSupportedError, match="apt-get install libbpf1") as caught:
        library("libbpf.so.none")
    assert caught.value.feature == "libbpf"


def test_check_passes_results_on() -> None:
    """What is no error is the result."""
    assert check(3, "thing") == 3


def test_null_is_an_error_of_errno() -> None:
    """A pointer that is there passes, NULL becomes what errno says."""
    assert take_pointer(ffi.cast("void *", 8), "thing")
    ffi.errno = errno.ENOENT
    with pytest.raises(NotSupportedError):
        take_pointer(ffi.NULL, "thing")
