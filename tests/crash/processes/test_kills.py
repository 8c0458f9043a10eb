"""Whatever is killed, and whenever: every accepted request ends, and has its effect once."""

import logging
import os
import time
from pathlib import Path
from random import Random

import pytest

from tests.crash.processes.cluster import Cluster, backends
from tests.crash.processes.load import Load
from tests.crash.processes.monkey import Monkey
from tests.stack import directory_repository

# In the run on each of the two databases.
KILLS = 20 * int(os.environ.get("CHAOS_SCALE") or 1)
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.3, 2.2

log = logging.getLogger(__name__)


@pytest.mark.timeout(300 + 20 * KILLS)
def test_every_accepted_request_ends_whatever_is_killed(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    # Slow enough to be caught in the act, and one in ten does it but reports that it did not.
    configuration = backends(latency_s=0.4, lost_reply_rate=0.1) + directory_repository("main")
    with Cluster(tmp_path, configuration) as cluster:
        monkey = Monkey(cluster, random)
        with Load(cluster.client, seed=seed, backs_up=True) as load:
            for number in range(KILLS):
                time.sleep(random.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S))
                log.warning("killed %s; %d accepted", monkey.strike(), load.accepted.total())
                if number == KILLS // 2:
                    cluster.empty_broker()
        cluster.require_kept(load)
