"""The loop that makes exports what the rows want, with a real storage daemon."""

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings

from storage_project.identity.caller import Caller
from tests.factories import AttachmentFactory
from tests.operations.engine import Engine
from tests.operations.world import World
from volumes.export_keeper import ExportKeeper
from volumes.exports import open_export
from volumes.models import Attachment, VolumeType

CONFIGURATION = """
[backends.one]
driver = "file"
path = "volumes"
exports = ["nbd"]
"""


@pytest.fixture
def attachment(
    configure: Callable[[str], None], caller: Caller, default_type: VolumeType
) -> Attachment:
    """One whose export is wanted, and of which no daemon knows."""
    configure(CONFIGURATION)
    volume = World(caller, default_type, Engine()).volume()
    return AttachmentFactory.create(
        volume=volume,
        status="attached",
        connector={"host": settings.STORAGE_HOST},
        export="nbd",
        wanted=True,
    )


@pytest.fixture
def keeper(attachment: Attachment) -> Iterator[ExportKeeper]:
    """One that has just started."""
    yield ExportKeeper()
    open_export("nbd").close()


def published() -> list[str]:
    return [each.export_id for each in open_export("nbd").list_exports()]


def test_what_is_wanted_is_there_after_the_first_look(
    attachment: Attachment, keeper: ExportKeeper
) -> None:
    keeper.reconcile("nbd")
    assert published() == [str(attachment.pk)]


def test_what_is_not_wanted_any_more_is_taken_away(
    attachment: Attachment, keeper: ExportKeeper
) -> None:
    keeper.reconcile("nbd")
    Attachment.objects.update(wanted=False)
    keeper.reconcile("nbd")
    assert published() == []
