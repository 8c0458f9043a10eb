"""PostgreSQL is killed under load and started again: everything goes on by itself."""

import logging
import time
from pathlib import Path
from random import Random

import pytest

from tests.crash.processes.cluster import Cluster, backends
from tests.crash.processes.load import Load
from tests.postgres import PostgresServer

KILLS = 3

log = logging.getLogger(__name__)


@pytest.mark.timeout(600)
def test_everything_goes_on_when_the_database_is_back(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    with (
        PostgresServer() as server,
        Cluster(tmp_path, backends(latency_s=0.2), database_url=server.url) as cluster,
    ):
        with Load(cluster.client, seed=seed) as load:
            for _ in range(KILLS):
                time.sleep(random.uniform(2, 4))
                server.kill()
                time.sleep(random.uniform(0, 3))
                server.start()
                log.warning("killed PostgreSQL; %d accepted", load.accepted.total())
            time.sleep(2)
        cluster.require_kept(load)
