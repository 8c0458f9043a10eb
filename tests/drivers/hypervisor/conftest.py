"""One guest of each kind of machine, booted when the first test wants it."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.guests.saved import SavedGuest


@pytest.fixture(scope="session")
def saved_guests(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], SavedGuest]:
    """Give the saved guest of a kind of machine."""

    @cache
    def saved_guest(machine: str) -> SavedGuest:
        return SavedGuest(folder, machine=machine)

    folder: Path = tmp_path_factory.mktemp("guests")
    return saved_guest
