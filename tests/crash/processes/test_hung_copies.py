"""A copy that hangs in a thread, which nobody can kill: the worker sees it, and ends itself."""

from pathlib import Path

from tests.crash.processes.cluster import Cluster
from tests.processes import is_running
from tests.stack import file_backends, wait_until

CONFIGURATION = (
    file_backends("fast", max_over_subscription_ratio=1e6, min_free_mib=0)
    + """
[repositories.main]
driver = "tests.crash.processes.hanging_repository.HangingRepository"
path = "repositories/main"
"""
)


def test_a_worker_that_does_nothing_but_hang_ends_itself(tmp_path: Path) -> None:
    with Cluster(tmp_path, CONFIGURATION) as cluster:
        made = cluster.demo.send("POST", "/v3/volumes", {"volume": {"size": 1}}).json()
        volume = made["volume"]["id"]
        wait_until(lambda: cluster.volume(volume)["status"] == "available", "a volume")
        with (tmp_path / "volumes" / "fast" / "volumes" / volume).open("r+b") as file:
            file.write(b"something to store" * 10_000)
        hang = tmp_path / "hang"
        hang.touch()
        asked = cluster.demo.send("POST", "/v3/backups", {"backup": {"volume_id": volume}}).json()
        backup = f"/v3/backups/{asked['backup']['id']}"
        worker = cluster.processes["data"]
        wait_until(lambda: not is_running(worker.pid), "the end of the worker")
        assert "its lease is given up" in worker.log()
        hang.unlink()
        worker.start()  # as who supervises it does
        wait_until(
            lambda: cluster.demo.get(backup)["backup"]["status"] == "available", "the backup"
        )
        cluster.wait_until_all_ended()
        cluster.audit()
