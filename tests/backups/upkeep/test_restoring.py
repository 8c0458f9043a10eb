"""Restoring past damage."""

import pytest

from backups.engine.format import BLOCK_BYTES
from backups.services.restores import restore_backup
from backups.upkeep import bad_ranges
from drivers.units import GIB
from storage_project.operations.models import Message, Operation
from storage_project.operations.states import Status
from tests.backups.pipelines.test_backups import ONE, TWO, again
from tests.backups.upkeep.asking import ended, restored
from tests.operations.consistency import require_consistent
from tests.operations.world import World
from volumes.models import Volume

pytestmark = pytest.mark.django_db(transaction=True)


class TestRestorePastDamage:
    @pytest.fixture
    def volume(self, world: World) -> Volume:
        volume = world.volume()
        world.write(volume, TWO)
        world.write(volume, ONE, offset=GIB - len(ONE))
        return volume

    def test_without_it_the_sentence_names_it(self, world: World, volume: Volume) -> None:
        backup = world.backup(volume)
        world.damage(backup)
        made, operation = restored(world, backup)
        assert (operation.status, operation.error_code) == (Status.FAILED, "damaged")
        assert "With skip_damaged, a restore goes on past what is lost" in operation.error
        assert again(made).status == "error_restoring"
        assert again(backup).status == "available"
        # It was looked at more closely since.
        assert again(backup).verification == "damaged"
        assert backup.damages.exists()
        require_consistent()

    def test_tells_exactly_where_it_reads_as_zeros(self, world: World, volume: Volume) -> None:
        backup = world.backup(volume)
        world.damage(backup)
        world.write(volume, b"old" * 1000, offset=5)
        restore_backup(backup=backup, volume=again(volume), caller=world.caller, skip_damaged=True)
        operation = ended(world, Operation.objects.get(kind="backup.restore"))
        assert operation.notes["result"] == {
            "damaged_bytes": BLOCK_BYTES,
            "damaged_count": 1,
            "damaged_ranges": [{"offset": 0, "length": BLOCK_BYTES}],
        }
        assert (again(volume).status, again(backup).verification) == ("available", "damaged")
        assert world.read(volume, BLOCK_BYTES) == bytes(BLOCK_BYTES)
        assert world.read(volume, len(ONE), offset=GIB - len(ONE)) == ONE
        message = Message.objects.get(resource_id=volume.pk)
        assert (message.code, message.level) == ("damaged", "WARNING")
        assert "64 KiB are lost, at 0." in message.sentence
        require_consistent()

    def test_of_many_ranges_the_first_are_named(self) -> None:
        known = bad_ranges.no_bad_ranges()
        extents = [bad_ranges.Extent(each * 10, 4) for each in range(1500)]
        bad_ranges.add_bad_ranges(known, extents)
        assert (known["damaged_count"], known["damaged_bytes"]) == (1500, 6000)
        assert len(known["damaged_ranges"]) == 1000
        assert bad_ranges.sentence_of(known) == (
            "5.9 KiB in 1,500 ranges are lost, the first at 0."
        )
