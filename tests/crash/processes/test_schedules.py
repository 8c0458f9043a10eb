"""Schedules with two dispatchers, and everything killed at random: each slot comes once for each
volume, and none is lost."""

import logging
import os
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.crash.processes.cluster import Cluster, backends
from tests.crash.processes.monkey import Monkey
from tests.stack import directory_repository, wait_until

SLOTS = 6 * int(os.environ.get("CHAOS_SCALE") or 1)
VOLUMES = 6
OVERLAPPING = 3
KEPT = 3
PATIENCE_S = 240
SCHEDULES = "/v3/backup_schedules"
# The time of a slot is a row, so a test need not wait for it.
NEXT_SLOT_IS_NOW = """
from django.utils import timezone
from backups.models import Schedule
now = timezone.now()
Schedule.objects.filter(pk="{schedule_id}").update(next_slot=now)
print(now.isoformat())
"""

log = logging.getLogger(__name__)


class Monkeys(Monkey):
    """Those that care for what schedules need: every second one strikes a dispatcher."""

    def strike(self) -> str:
        if self._random.random() < 0.5:
            return self._restart(self._random.choice(self._cluster.dispatchers))
        return super().strike()


@pytest.mark.timeout(300 + 120 * SLOTS)
def test_no_slot_comes_twice_and_none_is_lost(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    configuration = backends(latency_s=0.1) + directory_repository("main")
    with Cluster(tmp_path, configuration) as cluster:
        assert len(cluster.dispatchers) == 2
        volumes = {cluster.demo.create().json()["volume"]["id"] for _ in range(VOLUMES)}
        cluster.wait_until_all_ended()
        wanted = {
            "name": "nightly",
            "volume_type": "__DEFAULT__",
            "cron": "0 0 1 1 *",
            "incremental": True,
            "keep_last": KEPT,
        }
        answer = cluster.demo.send("POST", SCHEDULES, {"backup_schedule": wanted})
        assert answer.status_code == 201, answer.text
        address = f"{SCHEDULES}/{answer.json()['backup_schedule']['id']}"
        monkey = Monkeys(cluster, random)
        slots: list[str] = []
        for _ in range(SLOTS):
            # Real slots do not overlap; where these do, their backups wait for one another.
            wait_until(
                lambda: len(open_runs(cluster, address)) < OVERLAPPING,
                "runs to end",
                patience_s=PATIENCE_S,
            )
            slots.append(come(cluster, address))
            for _ in range(3):
                time.sleep(random.uniform(0, 1.5))
                log.warning("killed %s", monkey.strike())
            wait_until(lambda: len(runs(cluster, address)) == len(slots), "the slot to begin")
        wait_until(
            lambda: not open_runs(cluster, address), "all runs to end", patience_s=PATIENCE_S
        )
        found = runs(cluster, address)
        assert [run["slot"] for run in found] == slots[::-1]
        for run in found:
            require_once_each(cluster, f"{address}/runs/{run['id']}/volumes", volumes)
        cluster.wait_until_all_ended()
        require_as_many_backups_as_accepted(cluster, SLOTS * VOLUMES)
        wait_until(lambda: len(backups(cluster)) == KEPT * VOLUMES, "retention")
        cluster.wait_until_all_ended()
        cluster.audit()


def come(cluster: Cluster, address: str) -> str:
    """Let the next slot be now; return it, as the API shows times."""
    slot = cluster.run(NEXT_SLOT_IS_NOW.format(schedule_id=address.rpartition("/")[2])).strip()
    return slot.partition("+")[0]


def runs(cluster: Cluster, address: str) -> list[Any]:
    return list(cluster.demo.get(f"{address}/runs")["runs"])


def open_runs(cluster: Cluster, address: str) -> list[Any]:
    return [run for run in runs(cluster, address) if not run["finished_at"]]


def backups(cluster: Cluster) -> list[Any]:
    return list(cluster.demo.get("/v3/backups/detail")["backups"])


def require_once_each(cluster: Cluster, address: str, volumes: set[str]) -> None:
    """Every volume has had one backup in the slot, and it is there or retention has deleted it."""
    rows = cluster.demo.get(address)["volumes"]
    assert {row["volume_id"] for row in rows} == volumes
    assert len(rows) == len(volumes)
    assert {row["status"] for row in rows} == {"succeeded"}, rows
    assert len({row["backup_id"] for row in rows}) == len(volumes)


def require_as_many_backups_as_accepted(cluster: Cluster, number: int) -> None:
    """One operation made each; none was made twice under another id."""
    made = cluster.demo.operations(kind="backup.create")
    assert len(made) == number
    assert {operation["status"] for operation in made} == {"succeeded"}
