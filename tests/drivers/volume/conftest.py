import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.drivers.volume.disks import REFLINK_DISKS, ReflinkDisks, mounted_disk


@pytest.fixture(scope="session")
def reflink_disks(tmp_path_factory):
    with ExitStack() as stack:
        yield ReflinkDisks(tmp_path_factory.mktemp("disks"), stack)


@pytest.fixture
def folder(tmp_path):
    """An empty folder, removed after the test: pytest would keep GiBs of thick volumes."""
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        yield Path(folder)


@pytest.fixture(params=REFLINK_DISKS)
def reflink_folder(request, reflink_disks):
    """An empty folder where files can share blocks."""
    with tempfile.TemporaryDirectory(dir=reflink_disks.folder(request.param)) as folder:
        yield Path(folder)


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 MiB, to be filled up."""
    with mounted_disk("ext4", tmp_path) as mount_point:
        yield mount_point
