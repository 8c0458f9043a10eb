"""Testing whether a backup can be restored: the report, and what is left of it."""

from typing import Any
from unittest.mock import patch

import pytest

from backups.models import Backup
from backups.services.verification import try_restore
from backups.upkeep import trials
from drivers.units import GIB
from storage_project.operations.states import Status
from tests.backups.pipelines.test_backups import again
from tests.backups.upkeep.asking import LOST, ended
from tests.operations.consistency import require_consistent
from tests.operations.world import World

pytestmark = pytest.mark.django_db(transaction=True)


class TestTest:
    def test_leaves_a_report(self, world: World, backup: Backup) -> None:
        operation = ended(world, try_restore(backup=backup, caller=world.caller))
        backup = again(backup)
        report = backup.test_report
        assert backup.tested_at is not None
        assert (report["result"], report["bytes"]) == ("ok", GIB)
        assert report["duration_s"] > 0
        assert report["bytes_per_s"] > 0
        assert backup.verification == "ok"
        assert report.items() <= operation.notes["result"].items()
        require_consistent()

    def test_finds_damage(self, world: World, backup: Backup) -> None:
        world.damage(backup)
        ended(world, try_restore(backup=backup, caller=world.caller))
        backup = again(backup)
        assert backup.test_report["result"] == "damaged"
        assert backup.test_report["detail"] == LOST
        assert backup.verification == "damaged"
        require_consistent()

    def test_finds_a_disk_that_forgets(self, world: World, backup: Backup) -> None:
        forget = trials._Scratch.forget_cached

        def spoil(scratch: Any) -> None:
            scratch.write(5, b"!")
            forget(scratch)

        with patch.object(trials._Scratch, "forget_cached", spoil):
            ended(world, try_restore(backup=backup, caller=world.caller))
        report = again(backup).test_report
        assert (report["result"], report["detail"]) == ("failed", trials.ANOTHER)
        assert again(backup).verification == "ok"

    def test_needs_little_room(self, world: World, backup: Backup) -> None:
        """What has been compared is a hole again."""
        used: list[int] = []
        clear = trials._Scratch.clear

        def look(scratch: Any, pages: range) -> None:
            clear(scratch, pages)
            used.append(sum(extent.length for extent in scratch.data_extents()))

        with patch.object(trials._Scratch, "clear", look):
            ended(world, try_restore(backup=backup, caller=world.caller))
        assert set(used) == {0}

    def test_where_there_is_no_room(self, world: World, backup: Backup) -> None:
        with patch.object(trials, "KEPT_FREE", 1 << 60):
            operation = ended(world, try_restore(backup=backup, caller=world.caller))
        assert operation.status == Status.FAILED
        assert "too little space in its home folder" in operation.error
        assert again(backup).test_report == {}
        require_consistent()

    def test_what_a_killed_worker_left_goes(self, world: World, backup: Backup) -> None:
        folder = trials.scratch_folder()
        folder.mkdir(parents=True, exist_ok=True)
        operation = try_restore(backup=backup, caller=world.caller)
        ours, others = folder / str(operation.pk), folder / str(backup.pk)
        ours.touch()
        others.touch()
        trials.forget_scratches()
        assert [*folder.iterdir()] == [ours]
        ended(world, operation)
        require_consistent()
