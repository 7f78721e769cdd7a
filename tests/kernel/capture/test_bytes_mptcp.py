"""The bytes of an MPTCP connection are those of its subflows, as far as subflows can know."""

from __future__ import annotations

import pytest

from connscope.row.words import Group
from tests.kernel.recorder import Recorder
from tests.kernel.traffic.agreement import subflow_rows
from tests.traffic.report import make


@pytest.mark.parametrize("v6", [0, 1], ids=["ipv4", "ipv6"])
def test_one_subflow_has_the_bytes_of_the_application(recorder: Recorder, v6: int) -> None:
    """What MPTCP adds travels in options, not as payload."""
    for end in make("mptcp", v6=v6).connections:
        (row,) = subflow_rows(recorder, end)

        assert (row["bytes_sent"], row["bytes_received"]) == (end.sent, end.received)


def test_subflows_have_no_less_than_the_application_together(recorder: Recorder) -> None:
    """Each of two carries a part. The sum may be more: a probe of MPTCP's own window is a byte of
    payload sent twice (seen: 3,000,011 for 3,000,010)."""
    for end in make("mptcp_subflows").connections:
        rows = subflow_rows(recorder, end)

        assert len(rows) == 2
        assert rows["bytes_sent"].sum() >= end.sent
        assert rows["bytes_received"].sum() >= end.received
        assert (rows["bytes_sent"] > 0).any()


def test_subflows_do_not_claim_to_be_exact(recorder: Recorder) -> None:
    """A subflow can not know which of its payload another one, or it itself, had sent before."""
    for end in make("mptcp_join_refused").connections:
        rows = subflow_rows(recorder, end)

        assert not (rows["exact"] & Group.TRAFFIC).any()
