"""The process without rights: it sends reports on, and keeps those that no server takes."""

from __future__ import annotations

import sys
import threading
import time
from typing import IO

from connscope.agent.backoff import Backoff
from connscope.agent.channel import Channel
from connscope.agent.destination import Answer, Destination
from connscope.agent.spool import Spool, Spooled
from connscope.report.encode import encode
from connscope.report.recording import write_report

__all__ = ("Reporting",)

LAST_TRIES_S, LAST_PAUSE_S = 2.0, 0.1
REST_S = 1.0


class Reporting:
    """Takes reports from the capturing process and delivers them, each once and in order.

    A thread of its own sends: a slow server must not keep the capture waiting.

    Args:
        channel: to the capturing process.
        destination: of the reports.
        spool: for what can not be sent at once.
        record: gets all reports as well, see `recording`.
    """

    def __init__(
        self,
        channel: Channel,
        destination: Destination,
        spool: Spool,
        record: IO[bytes] | None = None,
    ) -> None:
        self._channel, self._destination, self._spool = channel, destination, spool
        self._record = record
        self._changed = threading.Condition()
        self._last_try_s: float | None = None
        self._backoff = Backoff()
        self._is_away = False

    def run(self) -> None:
        """Goes on until the capturing process ends, and then until all is sent or 2 s are over."""
        sender = threading.Thread(target=self._send_all, name="sender", daemon=True)
        sender.start()
        while (report := self._channel.receive()) is not None:
            encoded = encode(report)
            if self._record:
                write_report(self._record, encoded)
            with self._changed:
                self._spool.put(report.look.session_ns, report.sequence, encoded)
                self._changed.notify()
        with self._changed:
            self._last_try_s = time.monotonic() + LAST_TRIES_S
            self._changed.notify()
        sender.join(LAST_TRIES_S)

    def _send_all(self) -> None:
        while (waiting := self._next()) is not None:
            spooled, content = waiting
            answer = self._destination.send(content)
            if answer is Answer.SLOWER and not self._is_ending():
                time.sleep(REST_S)
                continue
            if answer in (Answer.LATER, Answer.SLOWER):
                self._wait_for_better_times()
                continue
            self._note_that_it_is_back()
            if answer is not Answer.TAKEN:
                self._channel.ask_full()
            if answer is Answer.REFUSED:
                _log(f"a report was refused and is lost: {self._destination.reason}")
            with self._changed:
                self._spool.remove(spooled)

    def _next(self) -> tuple[Spooled, bytes] | None:
        """Waits for a report; None when there will be none any more."""
        with self._changed:
            while (waiting := self._spool.first()) is None:
                if self._is_ending():
                    return None
                self._changed.wait()
            return waiting

    def _wait_for_better_times(self) -> None:
        if not self._is_away:
            self._is_away = True
            _log(f"{self._destination.reason}; reports are kept until it is back")
        with self._changed:
            self._spool.keep_on_disk(True)
            self._changed.wait_for(self._is_ending, self._backoff.failed())
        if self._is_ending():
            time.sleep(LAST_PAUSE_S)

    def _is_ending(self) -> bool:
        return self._last_try_s is not None

    def _note_that_it_is_back(self) -> None:
        self._backoff.succeeded()
        if self._is_away:
            self._is_away = False
            with self._changed:
                self._spool.keep_on_disk(False)
            dropped = f", {self._spool.dropped} gave way" if self._spool.dropped else ""
            _log(f"{self._destination} is back: {len(self._spool)} reports wait{dropped}")


def _log(text: str) -> None:
    sys.stderr.write(f"connscope agent: {text}\n")
    sys.stderr.flush()
