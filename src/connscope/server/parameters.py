"""What stands in the query of a request, checked."""

from __future__ import annotations

from collections.abc import Mapping

from connscope.errors import UsageError
from connscope.server.node_keys import GROUPS
from connscope.server.sight import OWN, ViewOptions
from connscope.server.topology import METRICS

__all__ = ("LIMIT_MOST", "checked_view", "number_in", "view_in")

LIMIT_MOST = 5000
FILTER_MOST = 4096


def view_in(query: Mapping[str, str], window_s: int) -> ViewOptions:
    """The view that a query asks for.

    Args:
        query: of the request.
        window_s: the longest window, and the one of who does not say.

    Raises:
        UsageError: a value is none; the message names it.
    """
    default = ViewOptions(window_s=window_s)
    return checked_view(
        ViewOptions(
            group=query.get("group", default.group),
            filter=query.get("filter", ""),
            limit=number_in(query, "limit", default.limit, LIMIT_MOST),
            metric=query.get("metric", default.metric),
            window_s=number_in(query, "window_s", default.window_s, window_s),
            own=query.get("own", default.own),
        ),
        window_s,
    )


def checked_view(options: ViewOptions, window_s: int) -> ViewOptions:
    """The same view.

    Raises:
        UsageError: it can not be had; the message says what can.
    """
    for name, value, words in (
        ("group", options.group, GROUPS),
        ("metric", options.metric, METRICS),
        ("own", options.own, OWN),
    ):
        if value not in words:
            raise UsageError(f"{name} is {value[:80]!r}: it must be one of {', '.join(words)}")
    for name, number, most in (
        ("limit", options.limit, LIMIT_MOST),
        ("window_s", options.window_s, window_s),
    ):
        if not 1 <= number <= most:
            raise UsageError(f"{name} is {number}: it must be from 1 to {most}")
    if len(options.filter) > FILTER_MOST:
        raise UsageError(f"a filter has {FILTER_MOST} characters at most")
    return options


def number_in(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A whole number from 1 on.

    Raises:
        UsageError: it is none.
    """
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise UsageError(f"{name} is {text[:80]!r}: it must be a whole number from 1 to {most}")
    return int(text)
