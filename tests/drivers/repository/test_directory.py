from contextlib import suppress
from pathlib import Path

import pytest

from drivers.repository.directory import DirectoryRepository
from tests.contracts.repository_driver import RepositoryContract
from tests.drivers.volume.disks import mounted_disk


def directory_repository(folder: Path, **options) -> DirectoryRepository:
    repository = DirectoryRepository(
        DirectoryRepository.Options(path=folder, **options), name="backups", home=Path("/")
    )
    repository.check()
    return repository


def drafts_of(repository: DirectoryRepository) -> list[Path]:
    return list(repository.drafts.iterdir())


def fill(ballast: Path) -> None:
    """Write a file until the disk is full."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.fixture
def repository(tmp_path):
    return directory_repository(tmp_path / "backups")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 MiB, to be filled up."""
    with mounted_disk("ext4", tmp_path) as mount_point:
        yield mount_point


class TestDirectoryRepository(RepositoryContract):
    @pytest.fixture
    def repository(self, tmp_path):
        repository = directory_repository(tmp_path)
        yield repository
        assert drafts_of(repository) == []

    @pytest.fixture
    def full_repository(self, small_disk):
        repository = directory_repository(small_disk, require_mount=True, min_free_mib=0)
        fill(small_disk / "ballast")
        yield repository
        assert drafts_of(repository) == []
