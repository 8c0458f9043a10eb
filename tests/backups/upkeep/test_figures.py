"""The figures of a repository, and what is due there by itself."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from backups.contents import open_contents
from backups.models import Backup, Repository
from backups.presence import begin_what_is_due
from backups.upkeep import figures
from drivers.units import GIB
from storage_project.operations.models import Message, Operation
from storage_project.operations.states import Status
from tests.operations.consistency import require_consistent
from tests.operations.world import World
from volumes.models import Volume

pytestmark = pytest.mark.django_db(transaction=True)


class TestFigures:
    def test_tell_what_there_is(self, world: World, backup: Backup) -> None:
        world.backup(Volume.objects.get())
        figures.measure_if_due("main")
        row = Repository.objects.get()
        assert (row.backups, row.logical_bytes) == (2, 2 * GIB)
        assert row.unique_bytes is not None
        assert row.stored_bytes is not None
        assert 0 < row.stored_bytes < row.unique_bytes < GIB
        assert (row.encrypted, len(row.repository_id)) == (False, 32)
        assert row.measured_at is not None

    def test_are_taken_when_something_has_changed(self, world: World, backup: Backup) -> None:
        rows = Repository.objects.filter(name="main")
        figures.measure_if_due("main")
        world.backup(Volume.objects.get())
        assert rows.get().outdated
        figures.measure_if_due("main")
        assert rows.get().backups == 1  # not so soon
        rows.update(measured_at=Now() - figures.SOONEST)
        figures.measure_if_due("main")
        assert (rows.get().backups, rows.get().outdated) == (2, False)
        rows.update(measured_at=Now() - figures.SOONEST, backups=0)
        figures.measure_if_due("main")
        assert rows.get().backups == 0  # nothing has changed
        rows.update(measured_at=Now() - figures.LATEST)
        figures.measure_if_due("main")
        assert rows.get().backups == 2


class TestWhatIsDue:
    def test_begins_once(self, world: World, backup: Backup, settings: Any) -> None:
        begin_what_is_due("main")
        assert not Operation.objects.filter(kind__startswith="repository.").exists()
        Repository.objects.update(
            scrub_after=Now() - timedelta(seconds=1), collect_after=Now() - timedelta(seconds=1)
        )
        begin_what_is_due("main")
        begin_what_is_due("main")
        scrub = Operation.objects.get(kind__startswith="repository.")
        assert (scrub.kind, scrub.project_id) == ("repository.scrub", "")
        world.engine.run()
        begin_what_is_due("main")
        world.engine.run()
        begin_what_is_due("main")
        kinds = Operation.objects.filter(kind__startswith="repository.").order_by("created_at")
        assert [each.kind for each in kinds] == ["repository.scrub", "repository.collect"]
        row = Repository.objects.get()
        assert row.scrubbed_at is not None
        assert row.collected_at is not None
        require_consistent()

    def test_what_cannot_be_collected_is_left_alone_for_a_day(
        self, world: World, backup: Backup
    ) -> None:
        key, _ = world.damage(backup)
        open_contents("main").driver.delete([key])
        Repository.objects.update(collect_after=Now() - timedelta(seconds=1))
        begin_what_is_due("main")
        world.engine.run()
        assert Operation.objects.get(kind="repository.collect").status == Status.FAILED
        assert "delete the backups that a verification names" in Message.objects.get().sentence
        row = Repository.objects.get()
        assert row.collect_after > timezone.now() + timedelta(hours=23)
        assert row.status == "available"

    def test_no_scrub_where_it_is_switched_off(
        self, world: World, backup: Backup, settings: Any
    ) -> None:
        settings.SCRUB_DAYS = 0
        Repository.objects.update(scrub_after=Now() - timedelta(seconds=1))
        begin_what_is_due("main")
        assert not Operation.objects.filter(kind="repository.scrub").exists()
