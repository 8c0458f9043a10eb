from pathlib import Path

import pytest

from drivers.volume.file import FileDriver
from tests.contracts.volume_driver import VolumeDriverContract


def file_driver(folder: Path, **options) -> FileDriver:
    driver = FileDriver(FileDriver.Options(path=folder, **options), name="fast", home=Path("/"))
    driver.check()
    return driver


class TestFileDriver(VolumeDriverContract):
    @pytest.fixture
    def driver(self, tmp_path):
        return file_driver(tmp_path)

    @pytest.fixture
    def full_driver(self, tmp_path):
        return file_driver(tmp_path, capacity_gib=0.01)
