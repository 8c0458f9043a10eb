"""A service with a repository that goes wrong, as its users see it: all is asked by the API."""

from dataclasses import dataclass
from random import Random
from typing import Any

from rest_framework.test import APIClient

from drivers.units import MIB
from tests.accounts import Account
from tests.operations.world import World
from volumes.models import Volume

BACKENDS = """
[backends.one]
driver = "file"
exports = ["file"]
path = "one"
"""
CONTENT_BYTES = 2 * MIB
OFFSETS = (0, 500 * MIB)


@dataclass
class Site:
    """What a member asks for, and what they see."""

    world: World
    account: Account
    seed: int = 0

    @property
    def api(self) -> APIClient:
        return self.account.client()

    def volume(self) -> tuple[str, bytes]:
        """A volume with content that no other has."""
        self.seed += 1
        content = Random(self.seed).randbytes(CONTENT_BYTES)
        volume = self.world.volume()
        for offset in OFFSETS:
            self.world.write(volume, content, offset=offset)
        return str(volume.pk), content

    def ask_for_backup(self, volume: str) -> str:
        answer = self.api.post("/v3/backups", {"backup": {"volume_id": volume}})
        assert answer.status_code == 202, answer.content
        backup: str = answer.json()["backup"]["id"]
        return backup

    def ask_for_restore(self, backup: str, volume: str | None = None) -> str:
        body = {"restore": {"volume_id": volume} if volume else {}}
        answer = self.api.post(f"/v3/backups/{backup}/restore", body)
        assert answer.status_code == 202, answer.content
        restored: str = answer.json()["restore"]["volume_id"]
        return restored

    def back_up(self, volume: str) -> dict[str, Any]:
        backup = self.ask_for_backup(volume)
        self.world.engine.run()
        return self.backup(backup)

    def restore(self, backup: str, volume: str | None = None) -> dict[str, Any]:
        restored = self.ask_for_restore(backup, volume)
        self.world.engine.run()
        return self.shown_volume(restored)

    def delete(self, backup: str) -> None:
        assert self.api.delete(f"/v3/backups/{backup}").status_code == 202
        self.world.engine.run()

    def backup(self, backup: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"/v3/backups/{backup}").json()["backup"]
        return found

    def has(self, backup: str) -> bool:
        return bool(self.api.get(f"/v3/backups/{backup}").status_code == 200)

    def shown_volume(self, volume: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"/v3/volumes/{volume}").json()["volume"]
        return found

    def last_message(self) -> str:
        return self.messages()[0]

    def messages(self) -> list[str]:
        """What the project is told, the latest first."""
        found = self.api.get("/v3/messages").json()["messages"]
        return [str(each["user_message"]) for each in found]

    def holds(self, volume: str, content: bytes) -> bool:
        """Whether the volume has it where `volume` wrote it, and zeros between."""
        row = Volume.objects.get(pk=volume)
        found = [self.world.read(row, len(content), offset=offset) for offset in OFFSETS]
        return found == [content, content] and not any(
            self.world.read(row, MIB, offset=OFFSETS[1] - MIB)
        )

    def require_restorable(self, backup: str, content: bytes) -> None:
        """Restore it into a new volume, and compare."""
        restored = self.restore(backup)
        assert restored["status"] == "available", restored
        assert self.holds(restored["id"], content)
        assert self.backup(backup)["status"] == "available"

    def require_failed(self, backup: dict[str, Any], volume: str, sentence: str) -> None:
        """It says why, nothing of it is left, and its volume is what it was."""
        assert backup["status"] == "error", backup
        assert sentence in backup["fail_reason"]
        assert "could not be taken back" not in backup["fail_reason"]
        assert sentence in self.last_message()
        assert self.shown_volume(volume)["status"] == "available"
