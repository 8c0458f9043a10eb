"""A worker that is told to stop ends what it is at, and leaves the rest to be taken at once."""

import time

from tests.crash.processes.cluster import backends
from tests.crash.processes.conftest import StartCluster
from tests.stack import wait_until

REQUESTS = 20


def test_a_stop_loses_nothing_and_leaves_no_lease_behind(start_cluster: StartCluster) -> None:
    cluster = start_cluster(backends(latency_s=0.5))
    volumes = [cluster.demo.create().json()["volume"]["id"] for _ in range(REQUESTS)]
    wait_until(lambda: len(cluster.at_work()) == 4, "all children of both backends to be at work")
    started = time.monotonic()
    cluster.processes.pop("control-1").stop()
    cluster.processes["volume-fast"].stop()
    assert time.monotonic() - started < 30, "a worker does not stop"
    cluster.processes["volume-fast"].start()
    cluster.wait_until_all_ended()
    for volume_id in volumes:
        operation = cluster.operation(volume_id, "volume.create")
        assert operation["status"] == "succeeded", operation
        # A second try would mean that somebody held a lease, and was waited for.
        assert {entry["attempt"] for entry in operation["timeline"]} <= {None, 1}, operation
    cluster.audit()
