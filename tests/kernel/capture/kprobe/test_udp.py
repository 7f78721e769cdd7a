"""UDP flows by probes: what only the kprobe tier has to find out, and that the switch is one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from connscope.capture.kprobe.offsets import Offsets, offsets_of_btf
from connscope.capture.kprobe.tier import KprobeTier
from connscope.capture.kprobe.udp import PROBES, find_flags_argument
from connscope.capture.ladder import Ladder, open_looker
from connscope.capture.objects import object_path
from connscope.config import Config, load_config
from connscope.errors import KernelError
from connscope.kernel import BpfObject
from connscope.kernel.kprobes import Kprobes
from connscope.row.words import Group, Kind, OwnerEvidence, Protocol
from tests.kernel.capture.kprobe.test_tier import only_guessable
from tests.kernel.capture.test_udp_calls import bound, closed, counters, pair, port_of
from tests.kernel.recorder import Recorder, pick
from tests.kernel.tiers_here import HAS_KPROBES

WAITING = 300
"""More than a kretprobe has room for by itself: ten, or twice the processors."""


@pytest.mark.parametrize("offsets", [offsets_of_btf, only_guessable])
def test_programs_load(offsets: Callable[[], Offsets]) -> None:
    """With all that they may know and with no more than a guess tells; no kprobes are needed."""
    for name in ("kprobe_udp_flags", "kprobe_udp_ends", "kprobe_udp"):
        with BpfObject(object_path(name)) as loaded:
            if name == "kprobe_udp":
                loaded.set(**offsets().knobs)
            loaded.load()


if HAS_KPROBES:

    def probed() -> set[str]:
        """The functions of which something of ours is told."""
        with Kprobes() as kprobes:
            lines = [line for line in kprobes.defined().splitlines() if "connscope_" in line]
        return {line.split()[1].partition("+")[0] for line in lines}

    def recorder_of(tier: KprobeTier) -> Recorder:
        return Recorder(tier)  # type: ignore[arg-type] # it is a tier like any other

    def test_off_attaches_nothing() -> None:
        """Not one probe more than TCP needs; sockets are in looks as ever."""
        functions = {function for _, function, _ in PROBES}
        with KprobeTier(Config()) as tier, bound() as one:
            assert not probed() & functions
            assert tier.parts["udp"].unwanted
            assert Kind.IDLE not in tier.kinds
            (row,) = pick(tier.look(), port_of(one), Kind.SNAPSHOT)
            assert row["protocol"] == Protocol.UDP
        with KprobeTier(Config(udp=True)) as tier, bound() as one:
            assert probed() & functions >= {"udp_sendmsg", "udp_recvmsg"}
            assert not len(pick(tier.look(), port_of(one), Kind.SNAPSHOT))
        assert not probed() & functions

    def test_flags_are_found() -> None:
        """Where they are is found twice alike; where they are not, nothing is said to work."""
        with Kprobes() as kprobes:
            places = {find_flags_argument(kprobes) for _ in range(2)}
        assert len(places) == 1
        assert places <= {4, 5}

    def test_a_guess_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
        """Without what BTF alone tells a flow has all the same that the contract says."""
        monkeypatch.setattr(
            "connscope.capture.kprobe.tier.find_offsets", lambda _: only_guessable()
        )
        with KprobeTier(Config(udp=True)) as tier:
            udp = recorder_of(tier)
            one, other = pair()
            one.send(b"x" * 30)
            other.recv(99)
            sender, receiver = closed(udp, one), closed(udp, other)
        assert (counters(sender), counters(receiver)) == ((30, 1, 0, 0), (0, 0, 30, 1))
        assert sender["exact"] == receiver["exact"] == 47
        assert receiver["owner_evidence"] == OwnerEvidence.ACCEPT

    def test_many_that_wait_in_a_receive() -> None:
        """Each call is seen to return, however many sit there at once."""
        with KprobeTier(Config(udp=True)) as tier:
            udp = recorder_of(tier)
            sockets = [bound() for _ in range(WAITING)]
            threads = [threading.Thread(target=each.recvfrom, args=(99,)) for each in sockets]
            for thread in threads:
                thread.start()
            with bound() as sender:
                for each in sockets:
                    sender.sendto(b"x" * 5, each.getsockname())
                for thread in threads:
                    thread.join()
                ports = {port_of(each) for each in sockets}
                for each in sockets:
                    each.close()
                rows = udp.of_port(port_of(sender), Kind.CLOSED, count=WAITING)
            assert set(rows["local_port"].tolist()) == ports
            assert {counters(row) for row in rows} == {(0, 0, 5, 1)}
            assert not tier.losses().datagrams

    def test_receive_that_began_before_us() -> None:
        """Its return is not seen; what comes after it is, and says that it is not all."""
        one, other = bound(), bound()
        waiting = threading.Thread(target=one.recvfrom, args=(99,))
        waiting.start()
        with KprobeTier(Config(udp=True)) as tier:
            udp = recorder_of(tier)
            other.sendto(b"x" * 11, one.getsockname())
            waiting.join()
            other.sendto(b"y" * 7, one.getsockname())
            one.recvfrom(99)
            row = closed(udp, one)
        other.close()
        assert counters(row) == (0, 0, 7, 1)
        assert not row["exact"] & (Group.TRAFFIC | Group.LIFE)

    def test_list_has_flows_and_the_other_sockets() -> None:
        """Who asks for UDP sockets gets flows and all sockets without one; one look counts none."""
        config = load_config(tier="kprobe", udp=True)
        with Ladder(config, udp_sockets=True) as tier, bound() as quiet:
            one, other = pair()
            one.send(b"x" * 3)
            rows = tier.look()
            (flow,) = pick(rows, port_of(one), Kind.SNAPSHOT, local_port=port_of(one))
            assert flow["bytes_sent"] == 3
            assert len(pick(rows, port_of(quiet), Kind.SNAPSHOT)) == 1
            looker = open_looker(config, {}, udp_sockets=True)
            try:
                rows = looker.look()
            finally:
                looker.close()
            (row,) = pick(rows, port_of(one), Kind.SNAPSHOT, local_port=port_of(one))
            assert not row["known"] & Group.TRAFFIC
            one.close()
            other.close()

    def test_without_it_the_tier_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
        """It says what it lacks and why."""

        def refuse(*_: object) -> int:
            raise KernelError("UDP flows", "not today")

        monkeypatch.setattr("connscope.capture.kprobe.udp.find_flags_argument", refuse)
        with KprobeTier(Config(udp=True)) as tier:
            assert any("UDP flows are not seen" in limit for limit in tier.limits)
            assert Kind.IDLE not in tier.kinds
            with socket.create_server(("127.0.0.1", 0)) as listener:
                recorder_of(tier).one(listener.getsockname()[1], Kind.LISTENING)
