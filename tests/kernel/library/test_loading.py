"""Loading, attaching, and what is left behind: nothing."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from connscope.errors import FailedError, NotPermittedError, NotSupportedError, UsageError
from connscope.kernel import BpfLink, BpfObject, BpfProgram, Btf, PerfBuffer, RingBuffer
from connscope.kernel.host.lockdown import read_lockdown
from connscope.kernel.host.mounts import find_cgroup2
from connscope.kernel.libbpf import ffi, library
from connscope.kernel.map import possible_cpus
from tests.kernel.library.writer import (
    ENVIRONMENT,
    OBJECTS,
    PATH,
    RECORD,
    counts,
    opened,
    rename,
    wait_until,
)

# Loads and attaches; prints the ids of everything that it has in the kernel, and stays.
HOLDER = """
import sys, time
from connscope.kernel import BpfObject
from connscope.kernel.libbpf import ffi, library as lib
def number(fd):
    info, size = ffi.new("unsigned int[64]"), ffi.new("unsigned int *", 80)
    assert lib().bpf_obj_get_info_by_fd(fd, info, size) == 0
    return info[1]
library = BpfObject(sys.argv[1])
library.load()
links = library.attach()
iterator = library.programs["walk_elements"].attach_iterator("u8,u8", library.maps["elements"])
programs = [number(p.fd) for p in library.programs.values()]
maps = [number(m.fd) for m in library.maps.values()]
held = [number(lib().bpf_link__fd(link._pointer)) for link in links]
held.append(number(lib().bpf_link__fd(iterator._link)))
print(*programs, "/", *maps, "/", *held, flush=True)
sys.stdin.readline()
"""

# Becomes somebody who may not load, then tries.
BEGGAR = """
import os, sys
from connscope.errors import NotPermittedError
from connscope.kernel import BpfObject
library = BpfObject(sys.argv[1])
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    library.load()
except NotPermittedError as error:
    print(error.reason)
"""


def run(script: str) -> str:
    """What a script says that gets the path of the test object."""
    return subprocess.run(
        [sys.executable, "-B", "-c", script, str(PATH)],
        check=True,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def refusal(name: str) -> Exception:
    """What loading the object of that name ends in."""
    with BpfObject(OBJECTS / f"{name}.bpf.o") as refused, pytest.raises(Exception) as caught:  # noqa: PT011 # the caller checks its type
        refused.load()
    return caught.value


def ids(following: Callable[[int, object], int]) -> set[int]:
    """All ids of one kind that the kernel has."""
    found, number = set[int](), ffi.new("unsigned int *")
    while following(number[0], number) == 0:
        found.add(number[0])
    return found


class Unattachable(BpfProgram):
    """Loads, but does not attach."""

    def attach(self) -> BpfLink:
        """Fails."""
        raise FailedError("attaching", "not today")


class TestLife:
    """Open, set, load, attach, close."""

    def test_attached_program_runs_and_a_closed_one_does_not(self, library: BpfObject) -> None:
        """The counters move with each rename until the link is closed."""
        rename(3)
        assert counts(library)["attempted"] == 15
        links = library.attach()
        rename()
        assert counts(library)["attempted"] == 25
        for link in links:
            link.close()
        rename()
        assert counts(library)["attempted"] == 30

    def test_everything_closes_twice(self, library: BpfObject) -> None:
        """The second call does nothing, in whatever order."""
        iterator = library.programs["walk_elements"].attach_iterator(
            "u8,u8", library.maps["elements"]
        )
        everything = [
            *library.attach(),
            iterator,
            RingBuffer(library.maps["ring"], RECORD),
            PerfBuffer(library.maps["samples"], RECORD, pages=1),
            Btf.of_kernel(),
            library,
        ]
        for _ in range(2):
            for one in everything:
                one.close()

    def test_object_closed_before_its_parts_is_fine(self) -> None:
        """What reads the maps has its own hold on them."""
        with opened() as loaded:
            loaded.load()
            iterator = loaded.programs["walk_elements"].attach_iterator(
                "u8,u8", loaded.maps["elements"]
            )
            ring = RingBuffer(loaded.maps["ring"], RECORD)
        assert len(ring.read()) == 0
        assert len(iterator.read()) == 0
        ring.close()
        iterator.close()

    def test_closed_reader_says_so(self, library: BpfObject) -> None:
        """No memory that was given back is read."""
        ring = RingBuffer(library.maps["ring"], RECORD)
        samples = PerfBuffer(library.maps["samples"], RECORD, pages=1)
        iterator = library.programs["walk_elements"].attach_iterator(
            "u8,u8", library.maps["elements"]
        )
        for closed in (ring, samples, iterator):
            closed.close()
            with pytest.raises(UsageError, match="closed"):
                closed.read()

    def test_knobs_reach_the_program(self) -> None:
        """Each width and sign arrives as it was set; what was not set keeps its default."""
        knobs = {"mark": 2**64 - 3, "shift64": -(2**63), "shift32": -7, "shift16": 300}
        with opened(**knobs, label=b"abc").load() as loaded:
            loaded.attach()
            rename()
            record = RingBuffer(loaded.maps["ring"], RECORD).read()[0]
        assert {name: int(record[name]) for name in knobs} == knobs
        assert record["shift8"] == -1
        assert record["filling"][:4].tobytes() == b"abc\0"

    def test_knob_set_after_load_is_refused(self, library: BpfObject) -> None:
        """The program is compiled with the old value by then."""
        with pytest.raises(UsageError, match="set before"):
            library.set(mark=3)

    def test_program_that_is_left_out_is_not_attached(self) -> None:
        """Autoload chooses what is loaded, and attach follows."""
        with opened() as loaded:
            loaded.programs["write_records"].autoload = False
            assert not loaded.load().programs["write_records"].autoload
            assert loaded.attach() == ()

    def test_attach_is_all_or_none(self) -> None:
        """If one program can not be attached, those before it are detached again."""
        with opened().load() as loaded:
            loaded.programs["last"] = Unattachable(loaded.programs["write_records"]._pointer)
            with pytest.raises(FailedError, match="not today"):
                loaded.attach()
            rename()
            assert counts(loaded)["attempted"] == 0

    def test_iterators_and_cgroup_programs_are_attached_by_their_own_calls(
        self, library: BpfObject
    ) -> None:
        """Their sections do not say to what, so the message says how."""
        with pytest.raises(UsageError, match="use attach_iterator"):
            library.programs["walk_elements"].attach()
        with (
            BpfObject(OBJECTS / "cgroup.bpf.o").load() as watcher,
            pytest.raises(UsageError, match="use attach_cgroup"),
        ):
            watcher.attach()

    def test_cgroup_program_watches_its_cgroup(self) -> None:
        """Attached to the root it sees our sockets, until its link is closed."""
        root = find_cgroup2()
        assert root
        with BpfObject(OBJECTS / "cgroup.bpf.o").load() as watcher:
            made = watcher.maps["made"]
            before = made.get(bytes(4))
            with watcher.programs["sock_create"].attach_cgroup(root):
                os.close(_new_socket())
            after = made.get(bytes(4))
            os.close(_new_socket())
        assert before == bytes(8)
        assert after
        assert int.from_bytes(after, sys.byteorder) >= 1

    def test_kernel_names_the_maps_of_variables_after_the_object(self, library: BpfObject) -> None:
        """``bpftool map`` shows library.rodata, not an address."""
        assert ffi.string(_name_of_variables(library)).startswith(b"library")


def _new_socket() -> int:
    return socket.socket().detach()


def _name_of_variables(loaded: BpfObject) -> object:
    return library().bpf_map__name(loaded._sections[".rodata"])


class TestRefusals:
    """Not supported, not permitted and failed are three things."""

    def test_helper_that_no_kernel_has_is_not_supported(self) -> None:
        """Its number is what the kernel says of it."""
        error = refusal("unknown_helper")
        assert isinstance(error, NotSupportedError)
        assert error.feature == "loading unknown_helper"
        assert "unknown#5000" in error.reason

    def test_field_that_no_kernel_has_is_not_supported(self) -> None:
        """The field is named."""
        error = refusal("missing_field")
        assert isinstance(error, NotSupportedError)
        assert "struct task_struct.no_such_field" in error.reason

    def test_tracepoint_that_no_kernel_has_is_not_supported(self) -> None:
        """The tracepoint is named."""
        error = refusal("missing_tracepoint")
        assert isinstance(error, NotSupportedError)
        assert "no_such_tracepoint" in error.reason

    def test_program_that_reads_where_it_may_not_has_failed(self) -> None:
        """The verifier's verdict is the reason, its whole log is kept."""
        error = refusal("bad_access")
        assert isinstance(error, FailedError)
        assert error.errno == errno.EACCES
        assert "invalid mem access" in error.reason
        assert "processed" in error.log

    def test_locked_down_kernel_refuses_fentry(self) -> None:
        """It is not permitted, and no capability would help."""
        if read_lockdown() in ("", "none"):
            with BpfObject(OBJECTS / "fentry.bpf.o") as fentry:
                fentry.load()
            return
        error = refusal("fentry")
        assert isinstance(error, NotPermittedError)
        assert error.missing == ()
        assert f"lockdown is {read_lockdown()}" in error.reason

    def test_kernel_without_kprobes_loads_but_does_not_attach_one(self) -> None:
        """It is not supported where the function list of the machine has no kprobes."""
        with BpfObject(OBJECTS / "kprobe.bpf.o").load() as probe:
            if " register_kprobe\n" in Path("/proc/kallsyms").read_text():
                assert len(probe.attach()) == 1
                return
            with pytest.raises(NotSupportedError, match="attaching kprobe/tcp_close"):
                probe.attach()

    def test_refused_object_can_be_closed_and_the_next_one_loaded(self) -> None:
        """Nothing is left of the failure."""
        refusal("bad_access")
        with opened().load() as loaded:
            assert loaded.attach()

    def test_user_without_rights_is_told_which(self) -> None:
        """The capabilities are named, whatever the errno was."""
        said = run(BEGGAR)
        assert said == "needs CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN\n"

    def test_locked_memory_that_can_not_be_raised_is_no_reason(self) -> None:
        """Since 5.11 BPF memory is charged to the cgroup; the limit is nothing to fail for."""

        run(
            "import resource, sys\n"
            "resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))\n"
            "from connscope.kernel import BpfObject\n"
            "BpfObject(sys.argv[1]).load().attach()"
        )

    def test_killed_process_leaves_nothing_in_the_kernel(self) -> None:
        """Programs, maps and links are gone after kill -9."""
        lib = library()
        walks = (lib.bpf_prog_get_next_id, lib.bpf_map_get_next_id, lib.bpf_link_get_next_id)
        holder = subprocess.Popen(
            [sys.executable, "-B", "-c", HOLDER, str(PATH)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
        )
        assert holder.stdout
        parts = holder.stdout.readline().split("/")
        held = [{int(number) for number in part.split()} for part in parts]
        assert [len(part) for part in held] == [3, 9, 2]
        assert all(part <= ids(walk) for part, walk in zip(held, walks, strict=True))

        holder.send_signal(signal.SIGKILL)
        holder.communicate()
        wait_until(
            lambda: not any(part & ids(walk) for part, walk in zip(held, walks, strict=True)),
            "something of a killed process is still in the kernel",
        )


class TestKernelTypes:
    """Btf.of_kernel."""

    def test_structs_functions_and_enums_are_found(self) -> None:
        """What every kernel has, with the sizes of this architecture."""
        with Btf.of_kernel() as kernel:
            assert kernel.has_struct("tcp_sock")
            assert not kernel.has_struct("no_such_struct")
            assert kernel.has_function("tcp_v4_connect")
            assert kernel.enum("bpf_map_type")["BPF_MAP_TYPE_RINGBUF"] == 27
            assert kernel.enum("no_such_enum") == {}
            fields = {field.name: field for field in kernel.struct("list_head")}
        assert fields["prev"][1:] == (8, 8)

    def test_bit_fields_lie_inside_their_struct(self) -> None:
        """tcp_sock has some, whose offsets are coded differently."""
        with Btf.of_kernel() as kernel:
            fields = kernel.struct("tcp_sock")
        end = max(field.offset + field.size for field in fields)
        assert end < 16384
        assert [field.offset for field in fields] == sorted(field.offset for field in fields)

    def test_possible_cpus_include_ours(self) -> None:
        """Per-CPU values have one for each, online or not."""
        assert possible_cpus() >= len(os.sched_getaffinity(0))


def test_numbers_of_enums_may_be_negative() -> None:
    """An enum with a sign is read with it."""
    with Btf.of_kernel() as kernel:
        values = kernel.enum("tcp_fastopen_client_fail") | kernel.enum("hrtimer_restart")
    assert values
    assert np.all(np.array(list(values.values())) < 2**31)
