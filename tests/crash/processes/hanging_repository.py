"""A folder that hangs: while the file `hang` is in the home, who stores a pack waits for ever. The
processes that load it lose their patience sooner than usual."""

import threading
from collections.abc import Sequence

from drivers.repository.base import Buffer
from drivers.repository.directory import DirectoryRepository
from storage_project.operations import lease

lease.BEAT_S = 1
lease.HUNG_AFTER_S = 5


class HangingRepository(DirectoryRepository):
    """As a mounted folder whose server has gone."""

    def put(self, key: str, parts: Sequence[Buffer]) -> None:
        if key.startswith("packs/") and (self.home / "hang").exists():
            threading.Event().wait()
        super().put(key, parts)
