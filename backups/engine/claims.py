"""Claims: the blocks that backups of this process have stored but no index knows yet.

Two backups of equal volumes that run at once store each block once: who claims it first stores it,
the other relies on that. A claim passes from an open pack to a durable one to the index, where it
ends. At most a few packs and one unpublished shard per backup are claimed at any time.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from backups.engine.frames import Location
from backups.engine.packs import OpenPack


@dataclass(frozen=True, slots=True)
class Claim:
    """`owner` is the backup that stores the block: in an open `pack`, or durable at `place`."""

    owner: Any
    pack: OpenPack | None
    place: Location | None


class Claims:
    """All claims in one repository by this process."""

    def __init__(self) -> None:
        self._claims: dict[bytes, Claim] = {}
        self._changed = threading.Condition()

    def take(self, prefix: bytes, owner: object, pack: OpenPack) -> Claim | None:
        """Claim a block that will be in `pack`; or return the claim that is there already."""
        with self._changed:
            claim = self._claims.get(prefix)
            if claim is None:
                self._claims[prefix] = Claim(owner, pack, None)
            return claim

    def get(self, prefix: bytes) -> Claim | None:
        with self._changed:
            return self._claims.get(prefix)

    def replace(self, prefix: bytes, owner: object, pack: OpenPack) -> None:
        """Claim a block whose other claim cannot be relied upon."""
        with self._changed:
            self._claims[prefix] = Claim(owner, pack, None)

    def made_durable(self, owner: object, places: Iterable[tuple[bytes, Location]]) -> None:
        """The pack of these blocks is stored."""
        with self._changed:
            for prefix, place in places:
                claim = self._claims.get(prefix)
                if claim is not None and claim.owner is owner:
                    self._claims[prefix] = Claim(owner, None, place)
            self._changed.notify_all()

    def release(self, owner: object, prefixes: Iterable[bytes]) -> None:
        """The index knows these blocks."""
        with self._changed:
            for prefix in prefixes:
                claim = self._claims.get(prefix)
                if claim is not None and claim.owner is owner:
                    del self._claims[prefix]

    def release_all(self, owner: object) -> None:
        """The backup ended: what it still claims will never be stored."""
        with self._changed:
            for prefix in [each for each, claim in self._claims.items() if claim.owner is owner]:
                del self._claims[prefix]
            self._changed.notify_all()

    def wait_while_open(self, prefix: bytes, timeout_s: float) -> Claim | None:
        """The claim once its pack is durable, after asking for that; None when it is no more."""

        def is_settled() -> bool:
            claim = self._claims.get(prefix)
            return claim is None or claim.place is not None

        with self._changed:
            claim = self._claims.get(prefix)
            if claim is not None and claim.pack is not None:
                claim.pack.is_wanted = True
            self._changed.wait_for(is_settled, timeout_s)
            return self._claims.get(prefix)
