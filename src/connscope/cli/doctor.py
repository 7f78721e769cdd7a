"""Tells what connscope can do on this machine, what not, and exactly why: each program is tried.

Needs no privileges, but tells more with them. Exits with 0 if connscope can capture in any way, 3
if it is not permitted to, 4 if this machine can not do it.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from connscope.cli.doctor_watch import run_watch
from connscope.cli.exit_codes import FINE, exit_code
from connscope.doctor.examination import Examination, Rung, Trial, examine
from connscope.doctor.machine import Machine
from connscope.row.words import word

__all__ = ("add_arguments", "run")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``connscope doctor``."""
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--log", action="store_true", help="with all that the verifier said")
    what.add_argument(
        "--watch",
        action="store_true",
        help="captures, and compares each second what was seen with what the kernel counted, for "
        "each network namespace, until Ctrl-C; docs/audit.md",
    )


def run(arguments: argparse.Namespace) -> int:
    """Examines and tells, or watches."""
    if arguments.watch:
        return run_watch(arguments.output)
    found = examine()
    tell = _as_json if arguments.output == "json" else _as_text
    sys.stdout.write(tell(found, with_log=arguments.log))
    if any(rung.outcome.works for rung in found.ladder):
        return FINE
    error = found.ladder[0].outcome.error
    return exit_code(error) if error else FINE


def _as_json(found: Examination, *, with_log: bool) -> str:
    ladder = [
        {
            "tier": word(rung.tier),
            "verdict": rung.outcome.verdict,
            "reason": rung.outcome.reason,
            "limits": rung.limits,
            "groups": {word(group): certainty for group, certainty in rung.groups.items()},
        }
        for rung in found.ladder
    ]
    trials = [
        {
            "feature": trial.outcome.feature,
            "gives": trial.gives,
            "verdict": trial.outcome.verdict,
            "reason": trial.outcome.reason,
            "note": trial.note,
        }
        | ({"log": trial.outcome.log} if with_log else {})
        for trial in found.trials
    ]
    answer = {
        "machine": asdict(found.machine),
        "ladder": ladder,
        "trials": trials,
        "conclusion": found.conclusion,
        "command": found.command,
    }
    return json.dumps(answer, indent=2) + "\n"


def _as_text(found: Examination, *, with_log: bool) -> str:
    lines = [*_machine_lines(found.machine), "", "ways to capture, best first:"]
    for rung in found.ladder:
        lines += _rung_lines(rung)
    lines.append("")
    for trial in found.trials:
        lines += _trial_lines(trial, with_log=with_log)
    lines += ["", found.conclusion]
    if found.command:
        lines.append(f"  {found.command}")
    return "\n".join(lines) + "\n"


def _machine_lines(machine: Machine) -> list[str]:
    mounted = [f"{name} at {where}" for name, where in machine.mounts.items() if where]
    absent = [name for name, where in machine.mounts.items() if not where]
    facts = {
        "kernel": f"{machine.kernel} {machine.architecture}",
        "kernel types (BTF)": "yes" if machine.btf else "no",
        "lockdown": machine.lockdown or "unknown (not permitted to look, or not built in)",
        "libbpf": machine.libbpf or "missing",
        "capabilities": ", ".join(machine.capabilities) or "none that matter",
        "missing": ", ".join(machine.missing_capabilities) or "none",
        "mounted": ", ".join(mounted) or "nothing that matters",
        "not mounted": ", ".join(absent) or "nothing that matters",
        "pid namespace": "the machine's"
        if machine.initial_pid_namespace
        else "a container's: pids in rows are those of the machine",
        "locked memory": "no limit"
        if machine.memlock_bytes < 0
        else f"{machine.memlock_bytes >> 10} KiB (matters before 5.11 only)",
    }
    width = max(map(len, facts))
    return [f"{name:<{width}}  {value}" for name, value in facts.items()]


def _rung_lines(rung: Rung) -> list[str]:
    groups = [f"{word(group)} {certainty}" for group, certainty in rung.groups.items()]
    lines = [f"{word(rung.tier)}: {rung.outcome.verdict}", f"    {', '.join(groups)}"]
    return lines + [f"    {text}" for text in (rung.outcome.reason, *rung.limits) if text]


def _trial_lines(trial: Trial, *, with_log: bool) -> list[str]:
    outcome = trial.outcome
    lines = [f"{outcome.feature}: {outcome.verdict}", f"    {trial.gives}"]
    lines += [f"    {text}" for text in (outcome.reason, trial.note) if text]
    if with_log and outcome.log:
        lines += [f"    | {line}" for line in outcome.log.splitlines()]
    return lines
