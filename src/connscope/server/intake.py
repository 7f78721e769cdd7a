"""Takes reports: anybody who has the token may send one, so nothing in it is believed unread."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import anyio.to_thread

from connscope.errors import ReportError, UsageError
from connscope.report.decode import Limits, decode
from connscope.report.report import Report, last_of_each
from connscope.report.view import Applied
from connscope.server.host import ID
from connscope.server.lateness import FASTER, cost, is_late
from connscope.server.live import Live
from connscope.server.rate import Rates

__all__ = ("Intake", "Outcome")

LARGE_BYTES = 1 << 18
"""Decoding more than this takes so long that others should not wait for it."""
LOOSEST = 8
"""Reports compress to a twentieth; that of a hostile sender to nothing."""
REFUSALS_PER_S = 5.0
REFUSED = (403, 408, 413, 422)
BODY_S = 60
"""The largest report comes in that time over a line of 2 Mbit/s."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a report.

    Attributes:
        status: of HTTP.
        error: what is wrong, and the next step; empty if nothing is.
        need: ``full`` if only a full report helps.
    """

    status: int
    error: str = ""
    need: str = ""


class Intake:
    """Where reports come in.

    Args:
        live: that they are for.
        max_bytes: of a report as it is sent.
        per_s: how many reports of a host are taken in a second; of those that are late, ten times
            as many.

    Attributes:
        outcomes: how many reports came to each, by status.
        bytes: of all that were read.
    """

    def __init__(self, live: Live, max_bytes: int, per_s: float) -> None:
        self._live = live
        self._limits = Limits(encoded_bytes=max_bytes, decoded_bytes=max_bytes * LOOSEST)
        self._rates = Rates(per_s, burst=2 * per_s)
        self._late_rates = Rates(FASTER * per_s, burst=2 * FASTER * per_s)
        self._refusals = Rates(REFUSALS_PER_S, burst=2 * REFUSALS_PER_S)
        self.outcomes = Counter[int]()
        self.bytes = 0

    async def take(
        self,
        body: AsyncIterator[bytes],
        declared: int | None,
        sender: str,
        host: str = "",
        age_s: float = 0.0,
    ) -> Outcome:
        """Reads a report and puts it to the others.

        Args:
            body: as it comes.
            declared: how many bytes the sender says that it has.
            sender: whose refusals are counted together.
            host: of which alone the sender may report; empty: of any.
            age_s: for how long it waited, as the sender says.
        """
        now_s = time.monotonic()
        if self._refusals.exceeded(sender, now_s):
            return self._counted(Outcome(429, "many reports of yours were refused: wait a second"))
        read = await self._read(body, declared, host)
        outcome = read if isinstance(read, Outcome) else self._apply(read, age_s)
        if outcome.status in REFUSED:
            self._refusals.take(sender, now_s)
        return self._counted(outcome)

    def _counted(self, outcome: Outcome) -> Outcome:
        self.outcomes[outcome.status] += 1
        return outcome

    async def _read(
        self, body: AsyncIterator[bytes], declared: int | None, host: str
    ) -> Report | Outcome:
        most = self._limits.encoded_bytes
        too_large = Outcome(413, f"a report has {most} bytes at most: see server_report_bytes_max")
        if declared is not None and declared > most:
            return too_large
        try:
            async with asyncio.timeout(BODY_S):
                content = await _whole(body, most)
        except TimeoutError:
            return Outcome(408, f"the report did not come within {BODY_S} s")
        if content is None:
            return too_large
        self.bytes += len(content)
        try:
            if len(content) < LARGE_BYTES:
                report = decode(content, self._limits)
            else:
                report = await anyio.to_thread.run_sync(decode, content, self._limits)
            _check_names(report)
        except ReportError as error:
            return Outcome(422, str(error))
        told = report.look.host_id
        if host and told != host:
            return Outcome(403, f"the token is of host {host}, the report of {told}: make one anew")
        return report

    def _apply(self, report: Report, age_s: float) -> Outcome:
        now_s = time.monotonic()
        late = is_late(age_s, self._live.window.window_s)
        host = report.look.host_id
        if late:
            may = self._late_rates.take(host, now_s, cost(len(report.ended)))
        else:
            may = self._rates.take(host, now_s)
        if not may:
            return Outcome(429, "this host reports too often: send one every second")
        try:
            single = replace(report, ended=last_of_each(report.ended))
            applied = self._live.take(single, now_s, time.time_ns(), age_s)
        except UsageError as error:
            return Outcome(429, str(error))
        if applied in (Applied.GAP, Applied.GAP_AGAIN) and not late:
            return Outcome(409, applied.value, "full")
        return Outcome(204)


async def _whole(body: AsyncIterator[bytes], most: int) -> bytes | None:
    """All of it; None if that is more than so many bytes."""
    content = bytearray()
    async for part in body:
        content += part
        if len(content) > most:
            return None
    return bytes(content)


def _check_names(report: Report) -> None:
    """They become part of ids."""
    for name in (report.look.host_id, report.look.boot_id):
        if not ID.fullmatch(name):
            raise ReportError(f"{name[:80]!r} is no id: up to 128 letters, digits, dots, - and _")
