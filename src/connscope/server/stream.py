"""The feed: one WebSocket that tells a viewer what changes, as fast as the viewer can take it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

import connscope
from connscope.errors import UsageError
from connscope.server.answers import host_objects, totals_object
from connscope.server.feed import Feed
from connscope.server.parameters import checked_view
from connscope.server.sight import ViewOptions
from connscope.server.state import Server

__all__ = ("PROTOCOL", "Streams")

PROTOCOL = "connscope.v1"
VERSION = 1
INTERVALS_S = (0.25, 60.0)
HELLO_S = 10.0
SILENT_S = 120.0
"""So long a viewer may leave a message without an answer."""
KEPT = 32
"""Viewers that are gone and may come again."""
MESSAGE_BYTES = 1 << 16
POLICY, TRY_LATER = 1008, 1013


class Resume(msgspec.Struct, forbid_unknown_fields=True):
    """From where a viewer wants to go on."""

    epoch: str
    sequence: int


class View(msgspec.Struct, frozen=True):
    """A view, as a viewer writes it."""

    group: str = "process"
    filter: str = ""
    limit: int = 300
    metric: str = "throughput"
    window_s: int = 0
    own: str = "show"


class Hello(msgspec.Struct, tag_field="t", tag="hello"):
    """The first message."""

    protocol: int
    resume: Resume | None = None


class Subscribe(msgspec.Struct, tag_field="t", tag="subscribe"):
    """What the viewer wants to see from now on."""

    view: View = View()
    interval_s: float = 1.0


class Ack(msgspec.Struct, tag_field="t", tag="ack"):
    """The viewer has taken a message in."""

    sequence: int


DECODER: msgspec.json.Decoder[Hello | Subscribe | Ack] = msgspec.json.Decoder(
    Hello | Subscribe | Ack
)


@dataclass(slots=True)
class Viewer:
    """A viewer, also while it is away.

    Attributes:
        feed: what it was told.
        wanted: the view that it wants; None: it has not said.
        shown: the view that it was told of last.
        interval_s: how often it wants to be told at most.
        due_s: not before, on the clock of the loop.
        acked: the last message that it took in.
        last: the last message, in case that it never arrived.
        heard: set when any of this changed.
        tasks: that serve it.
    """

    feed: Feed = field(default_factory=Feed)
    wanted: ViewOptions | None = None
    shown: ViewOptions | None = None
    interval_s: float = 1.0
    due_s: float = 0.0
    acked: int = 0
    last: str = ""
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: Sequence[asyncio.Task[None]] = ()


class Streams:
    """All feeds.

    Args:
        server: what they tell of.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._viewers = OrderedDict[str, Viewer]()
        server.told = self._hurry

    async def serve(self, socket: WebSocket) -> None:
        """One feed, from its opening to its end."""
        if PROTOCOL not in socket.scope.get("subprotocols", []):
            await socket.close(POLICY, f"speak {PROTOCOL}")
            return
        await socket.accept(PROTOCOL)
        if self._server.viewers >= self._server.config.server_viewers_max:
            await _say_bye(socket, "too many viewers: see server_viewers_max", TRY_LATER)
            return
        self._server.viewers += 1
        try:
            await self._serve(socket)
        except WebSocketDisconnect:
            pass  # the viewer has gone, which is how feeds end
        except TimeoutError:
            await _say_bye(socket, "nothing was heard for too long", POLICY)
        except (msgspec.MsgspecError, UsageError) as error:
            await _say_bye(socket, str(error), POLICY)
        finally:
            self._server.viewers -= 1

    def _hurry(self) -> None:
        """News: whoever was told something half an interval ago or longer is told now."""
        now_s = asyncio.get_running_loop().time()
        for viewer in self._viewers.values():
            if viewer.due_s - now_s <= viewer.interval_s / 2:
                viewer.due_s = now_s
                viewer.heard.set()

    async def _serve(self, socket: WebSocket) -> None:
        async with asyncio.timeout(HELLO_S):
            hello = _decoded(await socket.receive_text())
        if not isinstance(hello, Hello) or hello.protocol != VERSION:
            raise UsageError(f"begin with hello, protocol {VERSION}")
        viewer = self._back(hello.resume) or Viewer()
        await _send(socket, self._welcome(viewer))
        if viewer.acked < viewer.feed.sequence:
            await socket.send_text(viewer.last)
        viewer.tasks = tasks = [
            asyncio.create_task(work)
            for work in (self._listen(socket, viewer), self._tell(socket, viewer))
        ]
        self._keep(viewer)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not task.cancelled():  # else the viewer is served elsewhere now
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _keep(self, viewer: Viewer) -> None:
        """For when it comes again: those that are here, and the last that were."""
        self._viewers[viewer.feed.epoch] = viewer
        if len(self._viewers) > KEPT + self._server.config.server_viewers_max:
            self._viewers.popitem(last=False)

    def _back(self, resume: Resume | None) -> Viewer | None:
        """The viewer that comes again, if it misses no more than the last message.

        We may not have heard yet that it went: then it is not served there any more.
        """
        viewer = self._viewers.get(resume.epoch) if resume else None
        if viewer is None or resume is None:
            return None
        if resume.sequence not in (viewer.feed.sequence, viewer.feed.sequence - 1):
            return None
        for task in viewer.tasks:
            task.cancel()
        del self._viewers[resume.epoch]
        viewer.acked, viewer.heard = resume.sequence, asyncio.Event()
        return viewer

    def _welcome(self, viewer: Viewer) -> dict[str, object]:
        return {
            "t": "welcome",
            "protocol": VERSION,
            "epoch": viewer.feed.epoch,
            "version": connscope.__version__,
            "time_ms": self._server.wall() // 1_000_000,
        }

    async def _listen(self, socket: WebSocket, viewer: Viewer) -> None:
        """Takes what the viewer says."""
        longest_s = self._server.config.window_s
        while True:
            said = _decoded(await socket.receive_text())
            if isinstance(said, Ack):
                viewer.acked = max(viewer.acked, min(said.sequence, viewer.feed.sequence))
            elif isinstance(said, Subscribe):
                view = msgspec.structs.asdict(said.view)
                view["window_s"] = view["window_s"] or longest_s
                viewer.wanted = checked_view(ViewOptions(**view), longest_s)
                viewer.interval_s = min(max(said.interval_s, INTERVALS_S[0]), INTERVALS_S[1])
                viewer.due_s = 0.0
            viewer.heard.set()

    async def _tell(self, socket: WebSocket, viewer: Viewer) -> None:
        """Tells what is new, when it is due and the viewer has taken in what was told before."""
        while True:
            async with asyncio.timeout(SILENT_S):
                while viewer.wanted is None or viewer.acked < viewer.feed.sequence:
                    await _hear(viewer, SILENT_S)
            while (left_s := viewer.due_s - asyncio.get_running_loop().time()) > 0:
                await _hear(viewer, left_s)
            viewer.due_s = asyncio.get_running_loop().time() + viewer.interval_s
            await self._tell_once(socket, viewer, viewer.wanted)

    async def _tell_once(self, socket: WebSocket, viewer: Viewer, wanted: ViewOptions) -> None:
        server = self._server
        try:
            sight = server.sight(wanted)
        except UsageError as error:
            await _send(socket, {"t": "notice", "level": "warning", "text": str(error)})
            viewer.wanted = viewer.shown
            return
        viewer.shown = wanted
        if viewer.feed.is_full:
            raise UsageError("so much has come and gone that numbers begin anew: connect again")
        hosts = host_objects(server.live, server.clock())
        totals = totals_object(server.live, sight)
        message = viewer.feed.message(sight, totals, hosts, sight.time_ns // 1_000_000)
        viewer.last = msgspec.json.encode(message).decode()
        await socket.send_text(viewer.last)


async def _hear(viewer: Viewer, most_s: float) -> None:
    viewer.heard.clear()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(viewer.heard.wait(), most_s)


def _decoded(text: str) -> Hello | Subscribe | Ack:
    if len(text) > MESSAGE_BYTES:
        raise UsageError(f"a message has {MESSAGE_BYTES} characters at most")
    return DECODER.decode(text)


async def _send(socket: WebSocket, message: dict[str, object]) -> None:
    await socket.send_text(msgspec.json.encode(message).decode())


async def _say_bye(socket: WebSocket, reason: str, code: int) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        await _send(socket, {"t": "bye", "reason": reason})
        await socket.close(code)
