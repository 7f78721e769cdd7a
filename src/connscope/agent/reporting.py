"""The process without rights: it sends reports on, and keeps those that no server takes."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from typing import IO

from connscope.agent.backoff import Backoff
from connscope.agent.channel import Channel
from connscope.agent.destination import Answer, Destination
from connscope.agent.spool import Spool, Spooled
from connscope.kernel.host.heap import give_back_freed_memory
from connscope.report.encode import encode
from connscope.report.recording import write_report

__all__ = ("Destination", "Reporting", "Spool")

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
        backoff: between tries while the server is away.
    """

    def __init__(
        self,
        channel: Channel,
        destination: Destination,
        spool: Spool,
        record: IO[bytes] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._channel, self._destination, self._spool = channel, destination, spool
        self._record = record
        self._changed = threading.Condition()
        self._is_ending = False
        self._backoff = backoff or Backoff()
        self._is_away = False
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Goes on until the capturing process ends, and then until all is sent or 2 s are over.

        What is left then waits on disk for the next agent.
        """
        sender = threading.Thread(target=self._send, name="sender", daemon=True)
        sender.start()
        while (report := self._channel.receive()) is not None:
            encoded = encode(report)
            self._add_to_record(encoded)
            with self._changed:
                self._spool.put(encoded)
                self._changed.notify()
            give_back_freed_memory()
        with self._changed:
            self._is_ending = True
            self._changed.notify()
        sender.join(LAST_TRIES_S)
        with self._changed:
            self._spool.keep_on_disk(True)
        if self._failure:
            raise self._failure

    def _add_to_record(self, encoded: bytes) -> None:
        if self._record:
            try:
                write_report(self._record, encoded)
            except OSError as error:
                # What follows would stand behind half of a report, where nobody finds it.
                _log(f"the recording ends here: {error.strerror}")
                self._record = None

    def _send(self) -> None:
        """In the thread: without it there is no agent, so the other thread hears of its end."""
        try:
            self._send_all()
        except BaseException as error:  # noqa: BLE001  raised again by the other thread
            self._failure = error
            self._channel.end()

    def _send_all(self) -> None:
        while (waiting := self._next()) is not None:
            spooled, content = waiting
            answer = self._destination.send(content, spooled.age_s())
            if answer is Answer.SLOWER:
                self._rest(REST_S)
                continue
            if answer is Answer.LATER:
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
                if self._is_ending:
                    return None
                self._changed.wait()
            return waiting

    def _rest(self, seconds: float) -> None:
        """Waits so long; at the end only a moment, for there is no more time."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_ending, seconds)
        if self._is_ending:
            time.sleep(LAST_PAUSE_S)

    def _wait_for_better_times(self) -> None:
        if not self._is_away:
            self._is_away = True
            _log(f"{self._destination.reason}; reports are kept until it is back")
        with self._changed:
            self._spool.keep_on_disk(True)
        self._rest(self._backoff.failed())

    def _note_that_it_is_back(self) -> None:
        self._backoff.succeeded()
        if self._is_away:
            self._is_away = False
            with self._changed:
                self._spool.keep_on_disk(False)
                waiting, dropped = len(self._spool), self._spool.dropped
            more = f", {dropped} gave way" if dropped else ""
            _log(f"{self._destination} is back: {waiting} reports wait{more}")


def _log(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it any more: no reason to end
        sys.stderr.write(f"connscope agent: {text}\n")
        sys.stderr.flush()
