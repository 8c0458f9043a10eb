"""A cluster for each test, on the database that this run of the tests is about."""

import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.crash.processes.cluster import Cluster
from tests.postgres import create_database

StartCluster = Callable[..., Cluster]

log = logging.getLogger(__name__)
# Only PostgreSQL is a process that can be killed.
collect_ignore = [] if os.environ.get("DATABASE_URL") else ["test_postgresql_killed.py"]


@pytest.fixture
def seed() -> int:
    """What all chance in a test comes from; pytest shows it when the test fails."""
    number = int(os.environ.get("CHAOS_SEED") or secrets.randbits(32))
    log.warning("CHAOS_SEED=%d", number)
    return number


@pytest.fixture
def start_cluster(tmp_path: Path) -> Iterator[StartCluster]:
    """`start_cluster(backends(…))`: everything runs, until the test is over."""
    with ExitStack() as stacks:

        def start(configuration: str, *, database_url: str = "", **environment: str) -> Cluster:
            url = database_url or own_database(tmp_path)
            cluster = Cluster(
                tmp_path, database_url=url, configuration=configuration, **environment
            )
            stacks.enter_context(cluster)
            cluster.start()
            return cluster

        yield start


def own_database(home: Path) -> str:
    server = os.environ.get("DATABASE_URL")
    return create_database(server) if server else f"sqlite:///{home / 'khoi.sqlite3'}"
