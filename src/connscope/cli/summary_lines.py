"""A summary as tables, and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from connscope.cli.cells import aligned, service, text_width
from connscope.cli.list_columns import human_count
from connscope.cli.summary import AnySums, ListeningPortSum, PeerSum, ProcessSum, Summary, TotalSum

__all__ = ("summary_json", "summary_tables")

SHOWN = 20
"""So many lines a table has, if not all are asked for."""
PROCESS_TITLES = ("PID", "COMM", "LISTENERS")
PEER_TITLES = ("PEER", "PROCESSES")
PORT_TITLES = ("PORT", "NETNS", "PID", "COMM", "EXPOSURE", "QUEUE")
SUMS_TITLES = ("CONNS", "TX", "RX")
TO_THE_LEFT = {"COMM", "PEER", "EXPOSURE"}

Text = Callable[[int], str]
Cells = Sequence[str]


def summary_json(summary: Summary) -> str:
    """One object a line; its ``by`` says what of."""
    sums = (*summary.processes, *summary.peers, *summary.ports, summary.total)
    return "".join(f"{msgspec.json.encode(each).decode()}\n" for each in sums)


def summary_tables(summary: Summary, *, wide: bool, numeric: bool) -> str:
    """A table for each kind, and a line with the totals.

    Args:
        wide: all lines, and exact numbers.
        numeric: ports as numbers.
    """
    count, port = str if wide else human_count, str if numeric else service
    tables = (
        _table(PROCESS_TITLES, summary.processes, _process_cells, count, wide),
        _table(PEER_TITLES, summary.peers, _peer_cells, count, wide),
        _table(PORT_TITLES, summary.ports, lambda each: _port_cells(each, port), count, wide),
    )
    return "\n".join((*tables, _total_line(summary.total, count)))


def _process_cells(each: ProcessSum) -> Cells:
    name = each.comm if each.pid else "no process"
    return str(each.pid or ""), name, str(each.listeners)


def _peer_cells(each: PeerSum) -> Cells:
    return each.peer_address, str(each.processes)


def _port_cells(each: ListeningPortSum, port: Text) -> Cells:
    return (
        port(each.local_port),
        str(each.netns),
        str(each.pid or ""),
        each.comm,
        each.exposure,
        f"{each.queue_length}/{each.queue_limit}",
    )


def _table(
    titles: Cells, sums: list[AnySums], cells: Callable[[AnySums], Cells], count: Text, wide: bool
) -> str:
    shown = sums if wide else sums[:SHOWN]
    lines = [
        (*cells(each), str(each.connections), count(each.bytes_sent), count(each.bytes_received))
        for each in shown
    ]
    more = len(sums) - len(shown)
    return _aligned((*titles, *SUMS_TITLES), lines) + (
        f"and {more} more (-o wide)\n" if more else ""
    )


def _aligned(titles: Cells, lines: Sequence[Cells]) -> str:
    columns = []
    for title, *cells in zip(titles, *lines, strict=True):
        width = max(map(text_width, (title, *cells)))
        side = -1 if title in TO_THE_LEFT else 1
        columns.append(aligned((title, *cells), width * side))
    return "".join(f"{' '.join(line).rstrip()}\n" for line in zip(*columns, strict=True))


def _total_line(total: TotalSum, count: Text) -> str:
    return (
        f"{total.connections} connections, {total.established} of them established, "
        f"{total.listeners} listeners, {total.processes} processes, {total.peers} peers\n"
        f"{count(total.bytes_sent)} bytes sent, {count(total.bytes_received)} received, "
        f"{total.retransmits} segments sent again\n"
    )
