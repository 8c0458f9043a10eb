from pathlib import Path

import pytest

from drivers.volume.memory import MemoryDriver
from tests.contracts.volume_driver import VolumeDriverContract


def memory_driver(**options) -> MemoryDriver:
    driver = MemoryDriver(MemoryDriver.Options(**options), name="simulated", home=Path("/"))
    driver.check()
    return driver


class TestMemoryDriver(VolumeDriverContract):
    @pytest.fixture
    def driver(self):
        return memory_driver()

    @pytest.fixture
    def full_driver(self):
        return memory_driver(full=True)


class TestThickMemoryDriver(VolumeDriverContract):
    @pytest.fixture
    def driver(self):
        return memory_driver(thin=False)

    @pytest.fixture
    def full_driver(self):
        return memory_driver(thin=False, capacity_gib=0.5)
