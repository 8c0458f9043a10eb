"""A child's log: its last words, and no more of the past than is useful."""

import os

import pytest

from storage_project.supervisor import log as logs
from storage_project.supervisor.log import Log


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path / "log" / "web.log")


def test_the_tail_is_of_this_life_alone(log):
    for words in (b"an earlier life\n", b"one\ntwo\n"):
        descriptor = log.open()
        os.write(descriptor, words)
        os.close(descriptor)
    assert log.tail() == "one\ntwo"


def test_the_tail_is_short(log):
    descriptor = log.open()
    os.write(descriptor, b"".join(b"line %d\n" % number for number in range(10_000)))
    os.close(descriptor)
    assert log.tail().splitlines()[-1] == "line 9999"
    assert len(log.tail().splitlines()) == logs.TAIL_LINES


def test_it_stays_small_while_somebody_writes(log, monkeypatch):
    monkeypatch.setattr(logs, "LIMIT_BYTES", 100)
    descriptor = log.open()
    os.write(descriptor, b"x" * 101)
    log.trim()
    os.write(descriptor, b"after")
    os.close(descriptor)
    assert log.path.read_bytes() == b"after"
    assert log.path.with_name("web.log.1").read_bytes() == b"x" * 101
    assert log.tail() == "after"
