"""Who owns an accepted connection: the programs that see accept return, where they can be had."""

from __future__ import annotations

from functools import partial

from connscope.capture.objects import lend_maps, object_path
from connscope.config import Config
from connscope.errors import NotPermittedError
from connscope.kernel import BpfObject
from connscope.kernel.feature import Outcome, probe
from connscope.kernel.resource import Resource

__all__ = ("BY_CALL", "BY_FEXIT", "OWNER", "AcceptOwner")

OWNER = "accept owner"
BY_CALL = "accept owner by system call"
BY_FEXIT = "accept owner by fexit"

# The same function with its two signatures; the verifier knows which is this kernel's.
FEXIT_PROGRAMS = ("accept_with_arg", "accept_with_flags")


class AcceptOwner:
    """Attaches what `Config.accept_owner` asks for.

    Attributes:
        keeps_owners: the core has to look owners up in ``accept_owners``.
        map_entries: size of that map.
    """

    def __init__(self, config: Config) -> None:
        self._wanted = config.accept_owner
        self.keeps_owners = config.accept_owner == "exact"
        self.map_entries = config.accept_owners_max if self.keeps_owners else 1

    def attach(self, core: BpfObject, opened: list[Resource]) -> dict[str, Outcome]:
        """Attaches to accept; what was opened is appended, to be closed by the caller.

        Returns:
            What became of `OWNER`, and of `BY_CALL` and `BY_FEXIT` if they were tried; for
            `listener` a refusal that says it was not asked for.
        """
        if self._wanted == "listener":
            return {OWNER: Outcome(OWNER, unwanted="accept_owner = listener")}
        if self._wanted == "auto":
            fexit = self._attach_fexit(core, opened)
            return {OWNER: fexit, BY_FEXIT: fexit}
        call = probe(BY_CALL, partial(self._attach, core, opened, "accept", None))
        if call.works:
            return {OWNER: call, BY_CALL: call}
        # lockdown=confidentiality refuses the probe reads of the one, not the other.
        fexit = self._attach_fexit(core, opened)
        return {OWNER: fexit if fexit.works else call, BY_CALL: call, BY_FEXIT: fexit}

    def _attach_fexit(self, core: BpfObject, opened: list[Resource]) -> Outcome:
        for program in FEXIT_PROGRAMS:
            attach = partial(self._attach, core, opened, "accept_fexit", program)
            outcome = probe(BY_FEXIT, attach)
            if outcome.works or isinstance(outcome.error, NotPermittedError):
                break
        return outcome

    @staticmethod
    def _attach(core: BpfObject, opened: list[Resource], name: str, only: str | None) -> None:
        accept = BpfObject(object_path(name))
        try:
            for program in accept.programs.values():
                program.autoload = only in (None, program.name)
            lend_maps(core, accept)
            accept.load()
            accept.attach()
        except BaseException:
            accept.close()
            raise
        opened.append(accept)
