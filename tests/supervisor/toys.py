"""Toy services under a real supervisor, in a process of its own: `python -m tests.supervisor.toys`.

Reads a plan from its argument, prints a line per event, and runs until it is told to stop. Every
toy appends a line to `<home>/diary` when it starts and when it is asked to stop.
"""

import json
import sys
import time
from functools import partial
from pathlib import Path

from storage_project.supervisor.errors import StartError, StopRequested
from storage_project.supervisor.service import Service, StopOrder
from storage_project.supervisor.supervisor import Supervisor

# A leader with a child in its group, which outlives a killed leader unless somebody ends it.
TOY = """
import os, signal, subprocess, sys
name, home, ends_when_asked = sys.argv[1], sys.argv[2], sys.argv[3] == "good"
companion = subprocess.Popen(["sleep", "600"])

def write(what):
    with open(os.path.join(home, "diary"), "a") as diary:
        diary.write(f"{name} {what} {os.getpid()} {companion.pid}\\n")

def stop(*_):
    write("asked")
    if ends_when_asked:
        companion.kill()
        sys.exit(0)

signal.signal(signal.SIGTERM, stop)
write("started")
while True:
    signal.pause()
"""
DYING = "import sys; print('I was not made for this'); sys.exit(3)"


class Teller:
    """An observer that prints a line per event."""

    def began(self, name: str) -> None:
        self.tell("began", name)

    def finished(self, name: str) -> None:
        self.tell("finished", name)

    def stopped(self, name: str) -> None:
        self.tell("stopped", name)

    def notice(self, sentence: str) -> None:
        self.tell("notice", sentence)

    def breathe(self) -> float:
        return 1.0

    def tell(self, *words: str) -> None:
        sys.stdout.write(" ".join(words) + "\n")
        sys.stdout.flush()


def wait_for_start(home: Path, name: str) -> None:
    """The probe of a toy: it works once it has written that it has started."""
    diary = home / "diary"
    while not (diary.exists() and f"{name} started" in diary.read_text()):
        time.sleep(0.02)


def toy(home: Path, name: str, order: str, kind: str) -> Service:
    """A service of this kind: good, dying, stubborn (ignores a request to stop) or, if also the
    supervisor waits long for it, patient."""
    code = [DYING] if kind == "dying" else [TOY, name, str(home), kind]
    return Service(
        name=name,
        argv=[sys.executable, "-c", *code],
        stop_order=StopOrder[order],
        wait_until_ready=partial(wait_for_start, home, name),
        stop_within_s=0.5 if kind == "stubborn" else 600,
    )


def main(home: Path, plan: list[list[str]]) -> None:
    """Start the toys of the plan, `[name, stop order, kind]` each, and keep them running."""
    supervisor = Supervisor(logs=home / "log", observer=Teller())
    try:
        supervisor.start([toy(home, *each) for each in plan])
        Teller().tell("ready")
        supervisor.watch()
    except StopRequested:
        pass
    except StartError as error:
        Teller().tell("failed", str(error))
    finally:
        supervisor.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
