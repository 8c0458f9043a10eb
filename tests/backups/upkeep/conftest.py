"""A world that keeps everything in files, and a backup there."""

from collections.abc import Callable

import pytest

from backups.models import Backup
from tests.backups.pipelines.test_backups import FILES
from tests.operations.world import World


@pytest.fixture
def world(world: World, configure: Callable[[str], None]) -> World:
    configure(FILES)
    return world


@pytest.fixture
def backup(world: World) -> Backup:
    return world.backup()
