"""An operation as a line: validate 9 ms → schedule 12 ms → provision …"""

from datetime import datetime
from typing import Any

from rich.text import Text

# Two outcomes of a step: the operation goes on, and it ends there.
DONE = "done"
FAILED = "failed"
BAR_WIDTH = 24


def draw_operation(operation: dict[str, Any], *, named: bool = False) -> list[Text]:
    """The steps that have ended, with the time that each took; below them, why one was not done.

    Why the last one failed is left out: that is the operation's own error. `named` tells which
    operation it is.
    """
    line, reasons = Text(f"{operation['kind']}: " if named else "", style="dim"), []
    since = datetime.fromisoformat(operation["created_at"])
    for entry in ended_steps(operation):
        at = datetime.fromisoformat(entry["at"])
        took = show_s((at - since).total_seconds())
        if entry["outcome"] == DONE:
            line.append(entry["step"], "cyan").append(f" {took} → ")
        else:
            line.append(entry["step"], "yellow").append(f" {took} ✗ → ")
        if entry["note"] and entry["outcome"] != FAILED:
            reasons.append(Text(f"✗ {entry['step']}: {entry['note']}", "yellow"))
        since = at
    if operation["finished_at"]:
        line.right_crop(len(" → "))
    else:
        line.append(f"{operation['step']} …")
        if operation["total_bytes"]:
            line.append(f" {draw_bar(operation)}")
    return [line, *reasons]


def draw_bar(operation: dict[str, Any]) -> str:
    """How far an operation that moves data is: reads the volume ━━━━━━━━──── 66 %"""
    share = operation["progress_bytes"] / operation["total_bytes"]
    done = round(share * BAR_WIDTH)
    bar = "━" * done + "─" * (BAR_WIDTH - done)
    return f"{operation['phase']} {bar} {share:.0%}"


def ended_steps(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of the timeline that are ends of steps, in order."""
    return [entry for entry in operation["timeline"] if entry["event"] == "step"]


def show_s(seconds: float) -> str:
    """A time for people: 12 ms, 1.3 s."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
