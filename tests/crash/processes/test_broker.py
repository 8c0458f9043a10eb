"""The broker goes away: requests are accepted all the same, and go on when it is back."""

from tests.crash.processes.cluster import backends
from tests.crash.processes.conftest import StartCluster
from tests.stack import wait_until

REQUESTS = 20


def test_requests_are_accepted_without_a_broker_and_end_when_it_is_back(
    start_cluster: StartCluster,
) -> None:
    cluster = start_cluster(backends())
    cluster.processes["broker"].kill()
    answers = [cluster.demo.create() for _ in range(REQUESTS)]
    assert {answer.status_code for answer in answers} == {202}
    slowest = max(answer.elapsed.total_seconds() for answer in answers)
    assert slowest < 5, "a request waited for the broker"
    assert len(cluster.active_operations()) == REQUESTS
    cluster.processes["broker"].start()
    cluster.wait_until_all_ended()
    assert len(cluster.demo.get("/v3/volumes?status=available")["volumes"]) == REQUESTS
    cluster.audit()


def test_a_busy_worker_outlives_the_broker_and_ends_its_steps(start_cluster: StartCluster) -> None:
    """One that has taken more messages than it works on, as every busy one has."""
    cluster = start_cluster(backends(latency_s=1))

    for _ in range(REQUESTS):
        cluster.demo.create()
    wait_until(lambda: len(cluster.at_work()) == 4, "all children of both backends to be at work")
    steps = cluster.at_work()
    cluster.processes["broker"].kill()
    wait_until(lambda: not cluster.at_work() & steps, "their steps to end")
    cluster.processes["broker"].start()
    cluster.wait_until_all_ended()
    cluster.audit()
