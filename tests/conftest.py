"""For every test: with `REQUIRE_ALL=1`, as in CI, one that skips has failed.

And for those that need storage: a configuration of their own, a type, a caller, an engine.
"""

import os
import signal
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from backups.contents import open_contents
from backups.repositories import bounds_of_this_machine, open_repository, report_repository
from storage_project.config import configuration
from storage_project.identity.caller import Caller
from tests.ceph import S3Server
from tests.ceph import s3_server as started_s3_server
from tests.operations.engine import Engine
from tests.operations.world import World
from volumes.backends import open_backend, report_backend
from volumes.exports import open_export
from volumes.hypervisors import open_hypervisor
from volumes.models import VolumeType
from volumes.services.types import ensure_default_type

# Whoever starts the tests in the background has them ignore Ctrl-C, and so all that they start:
# also what is to be stopped by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

REQUIRE_ALL = os.environ.get("REQUIRE_ALL") == "1"
TWO_BACKENDS = """
[backends.one]
driver = "memory"
exports = ["memory"]
[backends.two]
driver = "memory"
exports = ["memory"]
[hypervisors.lab]
driver = "memory"
servers = ["one", "two"]
[repositories.main]
driver = "memory"
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test skips when this machine lacks a part of it, which a machine of CI must not."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole module that skips."""
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_ALL is set, and this skips: {report.longrepr}"


@pytest.fixture
def configure(db: None, settings: Any, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Make `STORAGE_CONFIG` hold this TOML; its backends are then opened, checked and reported.

    Paths in it are relative to a home folder that only this test has.
    """
    settings.STORAGE_HOME = tmp_path
    settings.STORAGE_CONFIG = tmp_path / "storage.toml"

    def write(toml: str) -> None:
        settings.STORAGE_CONFIG.write_text(toml)
        _forget_configuration()
        for name in configuration().backends:
            open_backend(name).check()
            report_backend(name)
        for name in configuration().repositories:
            open_repository(name).check()
            report_repository(name)

    yield write
    _forget_configuration()


def _forget_configuration() -> None:
    configuration.cache_clear()
    open_backend.cache_clear()
    open_export.cache_clear()
    open_hypervisor.cache_clear()
    open_repository.cache_clear()
    open_contents.cache_clear()
    bounds_of_this_machine.cache_clear()


@pytest.fixture
def default_type(db: None) -> VolumeType:
    return ensure_default_type()


@pytest.fixture
def caller() -> Caller:
    """A member of a project."""
    return Caller(
        user_id="a" * 32,
        user_name="demo",
        project_id="b" * 32,
        project_name="demo",
        roles=frozenset({"member"}),
        request_id="req-test",
    )


@pytest.fixture
def world(configure: Callable[[str], None], caller: Caller, default_type: VolumeType) -> World:
    """An engine, and two backends that are simulated."""
    configure(TWO_BACKENDS)
    return World(caller, default_type, Engine())


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with started_s3_server(tmp_path_factory.mktemp("ceph")) as server:
        yield server


@pytest.fixture(scope="session")
def bucket(s3_server: S3Server) -> str:
    return s3_server.make_bucket()
