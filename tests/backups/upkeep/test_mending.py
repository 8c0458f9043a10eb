"""An index that is missing or damaged."""

import pytest

from backups.contents import open_contents
from backups.known import known_repository
from backups.models import Backup, Damage
from backups.services.repositories import collect_repository
from storage_project.operations.states import Status
from tests.backups.upkeep.asking import ended, restored, scrubbed, verified
from tests.operations.consistency import require_consistent
from tests.operations.world import CONTENT, World

pytestmark = pytest.mark.django_db(transaction=True)


class TestAMissingIndex:
    """Whoever meets it makes it anew, and goes on."""

    @pytest.fixture(params=["gone", "damaged"])
    def backup(self, request: pytest.FixtureRequest, backup: Backup) -> Backup:
        contents = open_contents("main")
        for stored in [*contents.driver.list_objects("index/")]:
            if request.param == "gone":
                contents.driver.delete([stored.key])
            else:
                contents.driver.put(stored.key, [contents.driver.get(stored.key)[:-1] + b"!"])
                for path in contents.index.folder().iterdir():
                    path.unlink()
        open_contents.cache_clear()  # as in a process that begins
        return backup

    def test_a_restore(self, world: World, backup: Backup) -> None:
        volume, operation = restored(world, backup)
        assert operation.status == Status.SUCCEEDED, operation.error
        assert world.read(volume, len(CONTENT)) == CONTENT
        require_consistent()

    def test_a_restore_that_would_skip_what_is_lost(self, world: World, backup: Backup) -> None:
        volume, operation = restored(world, backup, skip_damaged=True)
        assert "result" not in operation.notes
        assert world.read(volume, len(CONTENT)) == CONTENT

    def test_verifying(self, world: World, backup: Backup) -> None:
        assert verified(world, backup).verification == "ok"

    def test_a_scrub(self, world: World, backup: Backup) -> None:
        result = scrubbed(world)
        assert (result["damages"], result["mended"]) == (0, 1)
        assert not Damage.objects.exists()

    def test_a_collection(self, world: World, backup: Backup) -> None:
        repository = known_repository("main")
        operation = ended(world, collect_repository(repository=repository, caller=world.caller))
        assert operation.status == Status.SUCCEEDED, operation.error
        assert verified(world, backup).verification == "ok"
