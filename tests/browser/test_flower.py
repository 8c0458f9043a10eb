"""From an operation in the console to its tasks in Flower, on a Khoi of real processes."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from selenium.webdriver import Chrome

from tests.browser.window import Window
from tests.clients.account import Account
from tests.stack import HOST, Process, Stack, file_backends, free_port, wait_until

SIGN_IN = ("flower", "secret")
WORKERS = {f"control@{HOST}", f"volume-fast@{HOST}"}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """The workers of one backend, and Flower, which has seen nothing yet."""
    stack = Stack(
        tmp_path,
        database_url=f"sqlite:///{tmp_path / 'khoi.sqlite3'}",
        configuration=file_backends("fast", capacity_gib=10),
    )
    port = free_port()
    stack.environment |= {"FLOWER_PORT": str(port), "FLOWER_BASIC_AUTH": ":".join(SIGN_IN)}
    with stack:
        flower = [sys.executable, "-m", "celery", "--app", "storage_project.celery:app", "flower"]
        stack.processes["flower"] = Process(
            [*flower, "--address=127.0.0.1"],
            environment=stack.environment,
            log=tmp_path / "log" / "flower.log",
        )
        stack.start_worker("control", queue="control")
        stack.start_worker("volume-fast", queue=f"volume.{HOST}@fast")
        stack.start_dispatcher()
        wait_until(lambda: hears_of(WORKERS, port), "Flower to hear the workers")
        yield stack


def hears_of(workers: set[str], port: int) -> bool:
    """Whether Flower has had a heartbeat of every worker, and so will hear of their tasks."""
    with suppress(requests.ConnectionError):
        url = f"http://127.0.0.1:{port}/workers?json=1"
        known = requests.get(url, auth=SIGN_IN, timeout=5).json()["data"]
        return workers <= {worker["hostname"] for worker in known}
    return False


def test_an_operation_leads_to_its_four_tasks(stack: Stack, chromium: Chrome) -> None:
    clouds = stack.prepare(stack.start_web())
    demo, admin = Account("demo", clouds), Account("admin", clouds)
    demo.create("letters")
    demo.create("pictures")

    window = Window(chromium, admin.url)
    # Chromium remembers how it signed in to Flower.
    port = stack.environment["FLOWER_PORT"]
    chromium.get(f"http://{':'.join(SIGN_IN)}@127.0.0.1:{port}/")

    window.open("/admin/volumes/volume/")
    window.fill("Name", admin.auth["username"])
    window.fill("Password", admin.auth["password"])
    window.press("Log in")
    window.follow("letters")
    window.follow("volume.create")
    window.follow("Tasks in Flower")

    # Its table is filled by a script, and fills up while events come in.
    def names() -> set[str]:
        return {cell.text for cell in window.find_all("#tasks-table tbody td:first-child")}

    steps = {f"volume.create.{step}" for step in ("validate", "schedule", "provision", "report")}
    wait_until(lambda: names() == steps, "the four tasks")
    assert len(window.find_all("#tasks-table tbody tr")) == len(steps)
