"""PostgreSQL is killed under load and started again: everything goes on by itself."""

import logging
import time
from random import Random

import pytest

from tests.crash.processes.cluster import backends
from tests.crash.processes.conftest import StartCluster
from tests.crash.processes.load import Load
from tests.postgres import PostgresServer, create_database

KILLS = 3

log = logging.getLogger(__name__)


@pytest.mark.timeout(600)
def test_everything_goes_on_when_the_database_is_back(
    start_cluster: StartCluster, seed: int
) -> None:
    random = Random(seed)
    with PostgresServer() as server:
        cluster = start_cluster(backends(latency_s=0.2), database_url=create_database(server.url))
        with Load(cluster.sign_in, seed=seed) as load:
            for _ in range(KILLS):
                time.sleep(random.uniform(3, 6))
                server.kill()
                time.sleep(random.uniform(0, 3))
                server.start()
                log.warning("killed; %d accepted", load.accepted.total())
            time.sleep(3)
        assert load.surprises == []
        started = time.monotonic()
        cluster.wait_until_all_ended()
        log.warning(
            "%d accepted; all ended %.1f s later", load.accepted.total(), time.monotonic() - started
        )
        cluster.audit(load)
        cluster.require_no_failures()
        for process in cluster.processes.values():
            process.kill()
