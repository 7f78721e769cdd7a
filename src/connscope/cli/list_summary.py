"""The summary of a list, with the audit of the look that it is made of."""

from __future__ import annotations

import numpy as np

from connscope.capture.tier import Looker
from connscope.cli.audit_lines import level_json, level_line
from connscope.cli.choice import Choice
from connscope.cli.summary import summarize
from connscope.cli.summary_lines import summary_json, summary_tables
from connscope.tracker.audit_look import audit_look
from connscope.tracker.audit_reading import read_established

__all__ = ("summary_text",)


def summary_text(looker: Looker, choice: Choice, *, form: str, numeric: bool) -> str:
    """Looks, sums up what is chosen, and compares all that was seen with the kernel's own count.

    Args:
        looker: open.
        choice: of the sums; the audit is of everything.
        form: ``table``, ``wide`` or ``json``.
        numeric: ports as numbers.
    """
    before = read_established()
    rows = looker.look()
    levels = audit_look(rows, before, read_established())
    if choice.minisockets:
        rows = np.concatenate((rows, looker.minisockets()))
    summary = summarize(choice.apply(rows))
    if form == "json":
        return level_json(levels) + summary_json(summary)
    tables = summary_tables(summary, wide=form == "wide", numeric=numeric)
    return f"{tables}{level_line(levels)}\n"
