"""Many clients at once want what there is room for N times: N get it."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from tests.crash.processes.cluster import Cluster, backends

CLIENTS = 8
EACH = 4
ROOM = 10


def test_exactly_as_many_succeed_as_there_is_room_for(tmp_path: Path) -> None:
    pool = backends("fast", capacity_gib=ROOM, max_over_subscription_ratio=1)
    with Cluster(tmp_path, pool) as cluster:
        cluster.set_quota(volumes=ROOM)
        assert rush(cluster) == {202: ROOM, 413: CLIENTS * EACH - ROOM}
        cluster.wait_until_all_ended()
        assert statuses(cluster) == {"available": ROOM}
        cluster.audit()

        for volume in cluster.demo.get("/v3/volumes")["volumes"]:
            cluster.demo.delete(volume["id"])
        cluster.wait_until_all_ended()
        cluster.set_quota(volumes=-1)
        assert rush(cluster) == {202: CLIENTS * EACH}
        cluster.wait_until_all_ended()
        assert statuses(cluster) == {"available": ROOM, "error": CLIENTS * EACH - ROOM}
        cluster.audit()


def rush(cluster: Cluster) -> Counter[int]:
    """All clients create at once; how often each status was the answer."""
    start = Barrier(CLIENTS)

    def create(_: int) -> list[int]:
        client = cluster.client("demo")
        start.wait()
        return [client.create(size_gib=1).status_code for _ in range(EACH)]

    with ThreadPoolExecutor(CLIENTS) as pool:
        return Counter(code for codes in pool.map(create, range(CLIENTS)) for code in codes)


def statuses(cluster: Cluster) -> Counter[str]:
    volumes = cluster.demo.get("/v3/volumes/detail")["volumes"]
    return Counter(volume["status"] for volume in volumes)
