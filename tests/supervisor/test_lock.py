"""One `up` per home folder, and none beside what a killed one has left."""

import os
import signal

import pytest

from storage_project.supervisor.errors import StartError
from storage_project.supervisor.lock import HomeLock


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "up.lock"


def acquire_in_a_fork(path, *, fork_again: bool = False) -> tuple[int, int]:
    """A process (and a child of it) that holds the lock until it is killed; their numbers."""
    reader, writer = os.pipe()
    holder = os.fork()
    if holder == 0:
        lock = HomeLock(path)
        lock.acquire()
        lock.announce("http://127.0.0.1:8776")
        child = os.fork() if fork_again else os.getpid()
        if child:
            os.write(writer, str(child).encode())
        signal.pause()
    child = int(os.read(reader, 16))
    os.close(reader)
    os.close(writer)
    return holder, child


def test_a_second_one_learns_who_holds_it(path):
    holder, _ = acquire_in_a_fork(path)
    try:
        with pytest.raises(StartError) as refusal:
            HomeLock(path).acquire()
    finally:
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
    assert str(refusal.value) == (
        f"Khoi runs already in {path.parent.parent}: process {holder} serves http://127.0.0.1:8776."
    )


def test_it_is_free_once_the_holder_is_dead(path):
    holder, _ = acquire_in_a_fork(path)
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    HomeLock(path).acquire()
    assert path.read_text() == f"{os.getpid()}\n"


def test_it_is_not_free_while_a_child_of_the_dead_holder_lives(path, monkeypatch):
    holder, child = acquire_in_a_fork(path, fork_again=True)
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    monkeypatch.setattr("storage_project.supervisor.lock.PATIENCE_S", 0.2)
    try:
        with pytest.raises(StartError, match="processes of an earlier start"):
            HomeLock(path).acquire()
    finally:
        os.kill(child, signal.SIGKILL)
    monkeypatch.undo()
    HomeLock(path).acquire()
