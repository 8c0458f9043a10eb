"""The supervisor with real processes: what dies comes back, and nothing is ever left."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes import is_running
from tests.stack import wait_until


class Toys:
    """A running `tests.supervisor.toys`, with what it has told so far."""

    def __init__(self, home: Path, *plan: tuple[str, str, str], ignoring: str = "") -> None:
        self.home = home
        command = [sys.executable, "-m", "tests.supervisor.toys", str(home), json.dumps(plan)]
        if ignoring:
            command = ["sh", "-c", f"trap '' {ignoring}; exec \"$@\"", "sh", *command]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def read_until(self, start: str) -> list[str]:
        """The lines up to the first that begins with `start`."""
        lines = []
        assert self.process.stdout
        for line in self.process.stdout:
            lines.append(line.rstrip())
            if line.startswith(start):
                return lines
        raise AssertionError(f"it ended without saying {start!r}: {lines}")

    def read_rest(self) -> list[str]:
        """The lines up to its end, which must be a clean one."""
        assert self.process.stdout
        lines = self.process.stdout.read().splitlines()
        assert self.process.wait() == 0
        return lines

    def lives(self, name: str) -> list[tuple[int, int]]:
        """The numbers of a toy and of its companion, for each time that it was started."""
        entries = [line.split() for line in (self.home / "diary").read_text().splitlines()]
        return [
            (int(pid), int(other))
            for who, what, pid, other in entries
            if (who, what) == (name, "started")
        ]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Toys]]:
    """Start toys; whatever happens, none outlives the test."""
    running: list[Toys] = []

    def run(*plan: tuple[str, str, str], **options: str) -> Toys:
        running.append(Toys(tmp_path, *plan, **options))
        return running[-1]

    yield run
    for toys in running:
        toys.process.kill()
        toys.process.wait()


def test_starts_again_what_is_killed_and_ends_what_it_left(start):
    toys = start(("a", "WORKER", "good"), ("b", "WORKER", "good"))
    toys.read_until("ready")
    ((first, companion),) = toys.lives("a")
    os.kill(first, signal.SIGKILL)
    *_, notice = toys.read_until("notice")
    assert notice == "notice a was killed by SIGKILL; it starts again in 0.5 s."
    wait_until(lambda: len(toys.lives("a")) == 2, "its second life")
    assert not is_running(companion)
    assert is_running(toys.lives("a")[1][0])
    assert len(toys.lives("b")) == 1


def test_pauses_longer_before_each_start_of_what_keeps_dying(start):
    toys = start(("a", "WORKER", "good"))
    toys.read_until("ready")
    for life, pause in enumerate(["0.5", "1"], start=1):
        wait_until(lambda life=life: len(toys.lives("a")) == life, "its next life")
        os.kill(toys.lives("a")[-1][0], signal.SIGKILL)
        *_, notice = toys.read_until("notice")
        assert notice.endswith(f"it starts again in {pause} s.")


def test_leaves_no_service_when_it_is_killed_itself(start):
    toys = start(("a", "WORKER", "good"), ("b", "WEB", "good"))
    toys.read_until("ready")
    services = [toys.lives(name)[0][0] for name in "ab"]
    toys.process.kill()
    wait_until(lambda: not any(map(is_running, services)), "their end")
    for _, companion in toys.lives("a") + toys.lives("b"):
        os.kill(companion, signal.SIGKILL)  # what `subprocess` started is not ours to end


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stops_in_order(start, number):
    toys = start(
        ("broker", "BROKER", "good"),
        ("worker", "WORKER", "good"),
        ("web", "WEB", "good"),
        ("dispatch", "DISPATCHER", "good"),
        ("flower", "MONITOR", "good"),
    )
    toys.read_until("ready")
    toys.process.send_signal(number)
    assert toys.read_rest() == [
        "stopped web",
        "stopped dispatch",
        "stopped worker",
        "stopped flower",
        "stopped broker",
    ]
    assert not any(
        is_running(pid) for name in ("broker", "worker", "web") for pid in toys.lives(name)[0]
    )


def test_does_not_wait_for_ever_for_what_ignores_a_stop(start):
    toys = start(("stubborn", "WORKER", "stubborn"), ("broker", "BROKER", "good"))
    toys.read_until("ready")
    toys.process.send_signal(signal.SIGTERM)
    assert toys.read_rest() == ["stopped stubborn", "stopped broker"]
    assert not any(map(is_running, toys.lives("stubborn")[0]))


def test_ignores_a_signal_that_it_was_started_to_ignore(start):
    toys = start(("a", "WORKER", "good"), ignoring="HUP")
    toys.read_until("ready")
    toys.process.send_signal(signal.SIGHUP)
    os.kill(toys.lives("a")[0][0], signal.SIGKILL)
    toys.read_until("notice a was killed")


def test_a_service_that_dies_at_once_ends_the_start_with_its_last_words(start):
    toys = start(("good", "WEB", "good"), ("bad", "WORKER", "dying"))
    lines = toys.read_rest()
    at = lines.index("failed bad stopped with exit code 3 as it started.")
    assert lines[at + 1] == "I was not made for this"
    assert "stopped good" in lines
    assert not any(line.startswith("notice") for line in lines)


def test_a_second_request_to_stop_is_an_urgent_one(start):
    toys = start(("patient", "WORKER", "patient"), ("broker", "BROKER", "good"))
    toys.read_until("ready")
    toys.process.send_signal(signal.SIGINT)
    wait_until(lambda: "patient asked" in (toys.home / "diary").read_text(), "the request")
    toys.process.send_signal(signal.SIGINT)
    assert toys.read_rest() == ["stopped patient", "stopped broker"]
    assert not any(map(is_running, toys.lives("patient")[0]))
