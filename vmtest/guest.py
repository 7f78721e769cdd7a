"""In the guest: each condition of this boot, and the tests under it.

python -m vmtest.guest              all conditions of the plan on the share
python -m vmtest.guest CONDITION    one, in the mount namespace that was prepared for it
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from connscope.capture.contract import CONTRACT
from connscope.capture.ladder import open_tested
from connscope.config import load_config
from connscope.kernel.feature import probe
from connscope.row.words import Tier, word
from vmtest.kernels import CONDITIONS, PLAIN, Condition

__all__ = ("main",)

SHARE = Path("/run/share")


def main() -> int:
    """Runs; what was found is in ``results.jsonl`` on the share."""
    plan = json.loads((SHARE / "plan.json").read_text())
    conditions = {each.name: each for each in CONDITIONS}
    if len(sys.argv) == 2:
        return run_tests(conditions[sys.argv[1]], plan)
    for name in plan["conditions"]:
        prepare = conditions[name].prepare + ' && exec "$@"'
        command = [sys.executable, "-m", "vmtest.guest", name]
        subprocess.run(  # noqa: S603  # this program
            ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", prepare, "sh", *command], check=False
        )
    return 0


def run_tests(condition: Condition, plan: dict[str, Any]) -> int:
    """Tells which tiers can be had, then becomes pytest."""
    tiers = {word(tier): why_not(tier) for tier in CONTRACT if word(tier) in plan["tiers"]}
    with (SHARE / "results.jsonl").open("a") as results:
        line = {"what": "tiers", "condition": condition.name, "tiers": tiers}
        print(json.dumps(line), file=results)
    os.environ.update(condition.environment)
    os.environ["TEST_FEXIT"] = "1"  # nothing forbids it to root here
    os.environ["TEST_SCALE"] = str(plan["scale"])
    os.environ["VMTEST_CONDITION"] = condition.name
    os.environ["VMTEST_TIERS"] = " ".join(name for name, reason in tiers.items() if not reason)
    if condition.name == PLAIN.name:
        with (SHARE / "doctor").open("w") as doctor:
            command = [sys.executable, "-m", "connscope.cli", "doctor"]
            subprocess.run(command, check=False, stdout=doctor)  # noqa: S603  # this program
    tests = plan["tests"] or condition.tests
    options = ["-q", "-p", "no:cacheprovider", "-p", "vmtest.selection", "--color=no"]
    os.execv(  # noqa: S606  # the same
        sys.executable, [sys.executable, "-m", "pytest", *options, *tests]
    )


def why_not(tier: Tier) -> str:
    """The ladder's reason; empty if the tier works."""

    def see() -> None:
        open_tested(tier, load_config(tier=word(tier)))[0].close()

    return probe(word(tier), see).reason


if __name__ == "__main__":
    sys.exit(main())
