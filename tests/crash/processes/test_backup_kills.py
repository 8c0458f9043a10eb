"""Whatever is killed while backups are made, restored, verified, tested, deleted and collected, and
their repository is scrubbed: each of these ends well, every backup holds what its volume held, none
is ever taken for damaged, and in the end nothing is left over.

Volumes have content here, which changes between the backups, so that backups share blocks, some of
which only one of them needs. Two collectors that know no grace free whatever nothing needs.
"""

import logging
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from threading import Event
from typing import Any

import pytest

from drivers.units import GIB, KIB
from drivers.volume.sparse import data_extents
from tests.crash.processes.client import Client
from tests.crash.processes.cluster import Cluster
from tests.stack import directory_repository, file_backends, wait_until

KILLS = 15 * int(os.environ.get("CHAOS_SCALE") or 1)
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.3, 3.0
USERS = 3
MANY_BACKUPS = 4
BLOCK = 64 * KIB
BLOCKS = 64  # of content, spread over the volume
STRIDE = GIB // BLOCKS
# A full backup takes a second or two: long enough to be caught in the act.
CONFIGURATION = (
    file_backends("fast", max_over_subscription_ratio=1e6, min_free_mib=0)
    + directory_repository("main")
    + "max_bytes_per_s = 6000000\n[copies]\nworkers = 3\n"
)
COLLECTORS = ("collector-1", "collector-2")
COLLECTING = (
    "from tests.crash.processes.collecting import collect_for_ever; collect_for_ever('main')"
)
STRUCK = {"data": 6, **dict.fromkeys(COLLECTORS, 2), "volume-fast": 1, "control-1": 1, "broker": 1}

log = logging.getLogger(__name__)

# What a volume holds: the block at each place, zeros where there is none.
Content = dict[int, bytes]


@pytest.mark.timeout(300 + 20 * KILLS)
def test_no_backup_is_damaged_whatever_is_killed(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    with Cluster(tmp_path, CONFIGURATION) as cluster:
        for name in COLLECTORS:
            start_collector(cluster, name)
        users = [User(cluster, Random(f"{seed}/{number}")) for number in range(USERS)]
        stopping = Event()
        with ThreadPoolExecutor(USERS + 1) as pool:
            lives = [pool.submit(user.live, stopping) for user in users]
            lives.append(pool.submit(keep_scrubbing, cluster.admin, stopping))
            try:
                for _ in range(KILLS):
                    time.sleep(random.uniform(SHORTEST_PAUSE_S, LONGEST_PAUSE_S))
                    [struck] = random.choices([*STRUCK], [*STRUCK.values()])
                    cluster.processes[struck].kill()
                    cluster.processes[struck].start()
            finally:
                stopping.set()
            for life in lives:
                life.result()
        log.warning(
            "%d backups, %d restores", sum(u.made for u in users), sum(u.back for u in users)
        )
        cluster.wait_until_all_ended()
        for user in users:
            user.require_all_whole()
        failed = cluster.admin.operations(all_tenants="1", status="failed")
        assert not failed, [f"{each['kind']}: {each['error']}" for each in failed]
        cluster.audit()
        for user in users:
            user.delete_all()
        for name in COLLECTORS:
            cluster.processes[name].kill()
        cluster.run("from tests.crash.processes.collecting import collect_all; collect_all('main')")
        left = [
            path.name
            for path in (tmp_path / "repositories/main/packs").rglob("*")
            if path.is_file()
        ]
        assert left == []


def start_collector(cluster: Cluster, name: str) -> None:
    cluster.start(name, [sys.executable, "manage.py", "shell", "--command", COLLECTING])


def keep_scrubbing(admin: Client, stopping: Event) -> None:
    """As an operator who does not trust the disk."""
    [repository] = admin.get("/v3/backup_repositories")["backup_repositories"]
    address = f"/v3/backup_repositories/{repository['id']}/action"
    while not stopping.is_set():
        answer = admin.send("POST", address, {"scrub": {}})
        assert answer.status_code == 202, answer.text
        result = result_of(admin, answer.json()["operation"]["id"])
        assert (result["damages"], result["backups_hit"]) == (0, 0), result


def result_of(client: Client, operation_id: str) -> dict[str, Any]:
    """What an operation has found out, once it has succeeded."""
    found: list[dict[str, Any]] = []

    def is_done() -> bool:
        operation = client.get(f"/v3/operations/{operation_id}")["operation"]
        assert operation["status"] not in ("failed", "cancelled"), operation
        found.append(operation)
        return bool(operation["status"] == "succeeded")

    wait_until(is_done, f"operation {operation_id}", patience_s=240)
    result: dict[str, Any] = found[-1]["result"]
    return result


class User:
    """Has a volume, writes to it, backs it up, and looks whether what comes back is what was."""

    def __init__(self, cluster: Cluster, random: Random) -> None:
        self._cluster = cluster
        self._random = random
        self._client: Client = cluster.client("demo")
        self._content: Content = {}
        self._backups: dict[str, Content] = {}
        self.made = self.back = 0
        answer = self._client.create()
        assert answer.status_code == 202, answer.text
        self._volume_id: str = answer.json()["volume"]["id"]
        self._wait("volumes", self._volume_id)
        self._write(range(BLOCKS))

    def live(self, stopping: Event) -> None:
        random = self._random
        while not stopping.is_set():
            if len(self._backups) < 2 or random.random() < 0.4:
                self._write(random.sample(range(BLOCKS), random.randint(1, 8)))
                self._back_up(incremental=bool(self._backups) and random.random() < 0.7)
            elif len(self._backups) > MANY_BACKUPS or random.random() < 0.5:
                self._delete(random.choice([*self._backups]))
            elif random.random() < 0.5:
                self._look_at(random.choice([*self._backups]), random.choice(["verify", "test"]))
            else:
                self._require_whole(random.choice([*self._backups]))

    def require_all_whole(self) -> None:
        for backup_id in self._backups:
            self._require_whole(backup_id)

    def delete_all(self) -> None:
        for backup_id in [*self._backups]:
            self._delete(backup_id)

    def _write(self, places: Iterator[int] | range | list[int]) -> None:
        """Some of it is what others have too, so that blocks are shared."""
        with file_of(self._cluster, self._volume_id).open("r+b") as file:
            for place in places:
                shared = self._random.random() < 0.3
                chance = Random(self._random.randrange(8)) if shared else self._random
                self._content[place] = chance.randbytes(BLOCK)
                file.seek(place * STRIDE)
                file.write(self._content[place])

    def _back_up(self, *, incremental: bool) -> None:
        body = {"backup": {"volume_id": self._volume_id, "incremental": incremental}}
        answer = self._client.send("POST", "/v3/backups", body)
        assert answer.status_code == 202, answer.text
        backup_id = answer.json()["backup"]["id"]
        self._backups[backup_id] = dict(self._content)
        self._wait("backups", backup_id)
        self.made += 1

    def _require_whole(self, backup_id: str) -> None:
        answer = self._client.send("POST", f"/v3/backups/{backup_id}/restore", {"restore": {}})
        assert answer.status_code == 202, answer.text
        restored = answer.json()["restore"]["volume_id"]
        self._wait("volumes", restored)
        self._wait("backups", backup_id)
        file = file_of(self._cluster, restored)
        assert content_of(file) == self._backups[backup_id]
        assert self._client.delete(restored).status_code == 202
        self.back += 1

    def _look_at(self, backup_id: str, action: str) -> None:
        answer = self._client.send("POST", f"/v3/backups/{backup_id}/action", {action: {}})
        assert answer.status_code == 202, answer.text
        result = result_of(self._client, answer.json()["operation"]["id"])
        assert result["verification"] == "ok", result

    def _delete(self, backup_id: str) -> None:
        answer = self._client.send("DELETE", f"/v3/backups/{backup_id}")
        assert answer.status_code == 202, answer.text
        wait_until(
            lambda: self._client.send("GET", f"/v3/backups/{backup_id}").status_code == 404,
            f"the end of {backup_id}",
            patience_s=240,
        )
        del self._backups[backup_id]

    def _wait(self, what: str, resource_id: str) -> None:
        """Return once it is available; a kill is no reason for an error."""

        def is_available() -> bool:
            [found] = self._client.get(f"/v3/{what}/{resource_id}").values()
            assert "error" not in found["status"], found
            return bool(found["status"] == "available")

        wait_until(is_available, f"{what} {resource_id}", patience_s=240)


def file_of(cluster: Cluster, volume_id: str) -> Path:
    return cluster.home / "volumes" / "fast" / "volumes" / volume_id


def content_of(file: Path) -> Content:
    """All that is not zeros."""
    found: Content = {}
    with file.open("rb") as opened:
        for extent in data_extents(opened.fileno(), GIB):
            for offset in range(extent.offset // BLOCK * BLOCK, extent.end, BLOCK):
                opened.seek(offset)
                block = opened.read(BLOCK)
                if any(block):
                    place, rest = divmod(offset, STRIDE)
                    assert rest == 0, f"there is something at {offset}"
                    found[place] = block
    return found
