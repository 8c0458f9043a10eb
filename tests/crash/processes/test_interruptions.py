"""What stops for a while loses nothing: the broker, or a worker that is told to stop."""

import time
from collections.abc import Iterator

import pytest

from tests.crash.processes.cluster import Cluster, backends
from tests.stack import wait_until

REQUESTS = 20
CHILDREN = 4


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster"), backends(latency_s=0.5)) as cluster:
        yield cluster


@pytest.fixture
def cluster(running: Cluster) -> Iterator[Cluster]:
    """One that all tests here share: each leaves it running, with nothing to do."""
    yield running
    running.wait_until_all_ended()
    running.audit()


def test_requests_are_accepted_without_a_broker_and_end_when_it_is_back(cluster: Cluster) -> None:
    cluster.processes["broker"].kill()
    answers = [cluster.demo.create() for _ in range(REQUESTS)]
    assert {answer.status_code for answer in answers} == {202}
    slowest = max(answer.elapsed.total_seconds() for answer in answers)
    assert slowest < 5, "a request waited for the broker"
    assert len(cluster.active_operations()) == REQUESTS
    cluster.processes["broker"].start()
    require_success(cluster, [answer.json()["volume"]["id"] for answer in answers])


def test_busy_workers_outlive_the_broker_and_end_their_steps(cluster: Cluster) -> None:
    """They have taken more messages than they work on, as all busy ones have."""
    volumes = create_until_all_are_busy(cluster)
    at_work = cluster.at_work()
    cluster.processes["broker"].kill()
    wait_until(lambda: not cluster.at_work() & at_work, "their steps to end")
    cluster.processes["broker"].start()
    require_success(cluster, volumes)


def test_a_worker_that_is_told_to_stop_leaves_no_lease_behind(cluster: Cluster) -> None:
    volumes = create_until_all_are_busy(cluster)
    started = time.monotonic()
    stopped = [cluster.processes["control-1"], cluster.processes["volume-fast"]]
    for process in stopped:
        process.stop()
    assert time.monotonic() - started < 30, "a worker does not stop"
    for process in stopped:
        process.start()
    require_success(cluster, volumes)
    for volume_id in volumes:
        timeline = cluster.operation(volume_id, "volume.create")["timeline"]
        # A second try would mean that somebody held a lease, and was waited for.
        assert {entry["attempt"] for entry in timeline} <= {None, 1}, timeline


def create_until_all_are_busy(cluster: Cluster) -> list[str]:
    """Ask for more volumes than there are children to make them; return their ids."""
    volumes = [cluster.demo.create().json()["volume"]["id"] for _ in range(REQUESTS)]
    wait_until(lambda: len(cluster.at_work()) == CHILDREN, "all children to be at work")
    return volumes


def require_success(cluster: Cluster, volumes: list[str]) -> None:
    cluster.wait_until_all_ended()
    assert {cluster.volume(volume_id)["status"] for volume_id in volumes} == {"available"}
