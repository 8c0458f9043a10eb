"""Verifying one backup: what is found, and what is in nobody's way."""

from typing import Any
from unittest.mock import patch

import pytest

from backups.contents import open_contents, ref_of
from backups.models import Backup, Damage
from backups.services.backups import delete_backup
from backups.services.verification import verify_backup
from backups.upkeep import verifying, windows
from drivers.units import KIB
from storage_project.operations.models import Message, Operation
from storage_project.operations.run import Run
from storage_project.operations.states import Status, Step
from tests.backups.pipelines.test_backups import ONE, again
from tests.backups.upkeep.asking import LOST, ended, scrubbed, verified
from tests.crash.accidents import Moment, killed
from tests.operations.consistency import require_consistent
from tests.operations.world import CONTENT, World

pytestmark = pytest.mark.django_db(transaction=True)


class TestVerify:
    def test_a_whole_one(self, world: World, backup: Backup) -> None:
        backup = verified(world, backup)
        assert (backup.verification, backup.verification_detail) == ("ok", "")
        assert backup.verified_at is not None
        assert scrubbed(world)["damages"] == 0
        require_consistent()

    def test_a_flipped_bit(self, world: World, backup: Backup) -> None:
        key, whole = world.damage(backup)
        backup = verified(world, backup)
        assert (backup.status, backup.verification) == ("available", "damaged")
        assert backup.verification_detail == LOST
        operation = Operation.objects.get(kind="backup.verify")
        assert operation.notes["result"] == {
            "verification": "damaged",
            "damaged_bytes": len(CONTENT),
            "damaged_count": 1,
            "damaged_ranges": [{"offset": 0, "length": len(CONTENT)}],
        }
        assert key in set(Damage.objects.filter(backups=backup).values_list("key", flat=True))
        message = Message.objects.get()
        assert (message.code, message.project_id) == ("damaged", backup.project_id)
        assert message.resource_id == backup.pk
        # Put back as it was, it is as it was.
        open_contents("main").driver.put(key, [whole])
        assert verified(world, backup).verification == "ok"
        assert not Damage.objects.filter(backups=backup, healed_at=None).exists()
        assert scrubbed(world)["damages"] == 0
        assert not Damage.objects.filter(healed_at=None).exists()

    def test_one_whose_manifest_is_lost(self, world: World, backup: Backup) -> None:
        key = ref_of(backup).key
        driver = open_contents("main").driver
        whole = driver.get(key)
        driver.put(key, [whole[:-1]])
        backup = verified(world, backup)
        assert backup.verification_detail == "The manifest of the backup is damaged."
        driver.delete([key])
        backup = verified(world, backup)
        assert backup.verification_detail == "The backup is not in the repository."
        assert Damage.objects.get().key == key

    def test_goes_on_where_a_killed_worker_was(self, world: World) -> None:
        volume = world.volume()
        for page in range(4):
            world.write(volume, ONE, offset=page * 256 * 1024 * KIB)
        backup = world.backup(volume)
        looked_at: list[range] = []

        def look(repository: Any, manifest: Any, *, pages: range, **more: Any) -> list[Any]:
            looked_at.append(pages)
            if len(looked_at) == 3:
                operation = Operation.objects.get(kind="backup.verify")
                assert operation.notes["pages_done"] == 2
                raise OSError("killed")
            return []

        with (
            patch.object(verifying, "verify_backup", look),
            patch.object(verifying, "PAGES_AT_ONCE", 1),
            killed("backup.verify", Step.PROVISION, Moment.AFTER, surely=False),
        ):
            verify_backup(backup=backup, caller=world.caller)
            world.engine.look()
        # An error that it should not raise ends it; what was noted before is kept all the same.
        assert looked_at == [range(1), range(1, 2), range(2, 3)]
        run = Run(Operation.objects.get(kind="backup.verify"), Backup.objects.all())
        manifest = open_contents("main").read_manifest(ref_of(backup))
        assert next(windows.windows(manifest, run, 1)) == range(2, 3)

    def test_can_be_cancelled_at_work(self, world: World, backup: Backup) -> None:
        operation = verify_backup(backup=backup, caller=world.caller)
        look = verifying.verify_backup

        def look_when_cancelled(*arguments: Any, on_progress: Any, **more: Any) -> Any:
            def tell(progress: Any) -> None:
                runs[0].cancel_requested = True  # as the heartbeat sees it
                on_progress(progress)

            return look(*arguments, on_progress=tell, **more)

        runs: list[Run] = []
        verify = verifying.verify

        def noted(row: Backup, run: Run) -> None:
            runs.append(run)
            verify(row, run)

        with (
            patch.object(verifying, "verify_backup", look_when_cancelled),
            patch.object(verifying, "verify", noted),
        ):
            assert ended(world, operation).status == Status.CANCELLED
        assert again(backup).verification == ""
        require_consistent()

    def test_is_ended_by_a_delete(self, world: World, backup: Backup) -> None:
        operation = verify_backup(backup=backup, caller=world.caller)
        delete_backup(backup=backup, caller=world.caller)
        assert ended(world, operation).status == Status.CANCELLED
        assert not Backup.objects.exists()
        require_consistent()
