"""The btf tier: typed tracepoints and socket storage; no hook on the TCP data path."""

from __future__ import annotations

from connscope.capture.btf.accept_owner import OWNER, AcceptOwner
from connscope.capture.btf.look import SocketLook
from connscope.capture.btf.udp import UdpFlows
from connscope.capture.exclusion import refuse_excluded_kernel
from connscope.capture.objects import lend_maps, object_path
from connscope.capture.ring_tier import RingTier
from connscope.config import Config
from connscope.errors import KernelError, NotSupportedError
from connscope.kernel import BpfObject, Btf
from connscope.kernel.feature import Outcome, probe
from connscope.kernel.host.mounts import find_cgroup2
from connscope.row.columns import Rows
from connscope.row.words import Tier

__all__ = ("BtfTier",)

WITHOUT = {
    "connect attempts": "connects that never send a SYN are not seen",
    "looks": "sockets that are older than connscope have no owner until they close",
    OWNER: "accepted connections have their listener's owner (~) until they close",
    "udp": "UDP flows are not seen",
}


class BtfTier(RingTier):
    """Captures with ``btf.bpf.o``, and with the optional programs that can be had.

    Args:
        config: `ring_bytes`, `accept_owner`, `accept_owners_max`, and those of UDP.

    Attributes:
        parts: what became of each optional program, once opened.
    """

    tier = Tier.BTF

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._look: SocketLook | None = None
        self._knobs: dict[str, bool] = {}
        self.parts: dict[str, Outcome] = {}

    def open(self) -> None:
        """Loads and attaches; see `CaptureTier.open`. What is optional may fail."""
        refuse_excluded_kernel(self._config.excluded_kernels)
        self._core = core = self._hold(BpfObject(object_path("btf")))
        accept = AcceptOwner(self._config)
        try:
            self._knobs = {
                "rdonly_cast_exists": kernel_has_rdonly_cast(),
                "accept_owners_kept": accept.keeps_owners,
            }
            core.set(**self._knobs)
            core.maps["accept_owners"].resize(accept.map_entries)
            self._load_core(core)
            self.parts["connect attempts"] = probe("connect attempts", self._watch_connects)
            core.attach()
            self.parts["looks"] = probe("looks", self._look_first)
            self.parts |= accept.attach(core, self._held)
            self.parts["udp"] = self._count_udp()
        except BaseException:
            self.close()
            raise

    def _watch_connects(self) -> None:
        cgroup = find_cgroup2()
        if cgroup is None:
            raise NotSupportedError("connect attempts", "no cgroup2 file system is mounted")
        connect = self._hold(BpfObject(object_path("connect")))
        lend_maps(self._open_core, connect)
        connect.load()
        for program in connect.programs.values():
            self._hold(program.attach_cgroup(cgroup))

    def _count_udp(self) -> Outcome:
        def count() -> None:
            self._begin_udp(UdpFlows(self._open_core, self._config))

        if not self._config.udp:
            return Outcome("udp", unwanted="udp = false")
        return probe("udp", count)

    def _look_first(self) -> None:
        """Finds the sockets that are older than us, and their owners; events flow already."""
        interval_s = self._config.owner_check_interval_s
        self._look = self._hold(SocketLook(self._open_core, self._knobs, interval_s))
        self._look.look()

    def look(self) -> Rows:
        """All open TCP sockets of all network namespaces, see `SocketLook.look`, and UDP flows if
        they are counted.

        Raises:
            KernelError: looks can not be had here.
        """
        return self._with_flows(self._open_look.look())

    def minisockets(self) -> Rows:
        """SYN_RECV and TIME_WAIT, see `SocketLook.minisockets`.

        Raises:
            KernelError: looks can not be had here.
        """
        return self._open_look.minisockets()

    @property
    def limits(self) -> tuple[str, ...]:
        """What the lack of an optional part means."""
        return tuple(
            f"{lack} [{part.verdict.value}: {part.reason}]"
            for name, lack in WITHOUT.items()
            if (part := self.parts[name]).error
        )

    def close(self) -> None:
        """Detaches and unloads everything; a second call does nothing."""
        super().close()
        self._look = None

    @property
    def _open_look(self) -> SocketLook:
        if self._look is None:
            refusal = self.parts["looks"].error if self._core else None
            raise refusal or RuntimeError("the tier is not open")
        return self._look


def kernel_has_rdonly_cast() -> bool:
    """True if typed casts can be had (6.2); they lead from an MPTCP subflow to its socket."""
    try:
        with Btf.of_kernel() as kernel:
            return kernel.has_function("bpf_rdonly_cast")
    except KernelError:
        return False
