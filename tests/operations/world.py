"""What most tests of the engine start from."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from backups.contents import open_contents, ref_of
from backups.engine.format import NULL_DIGEST, key_of_pack
from backups.engine.frames import FrameReader
from backups.engine.manifest import digests_in
from backups.models import Backup
from backups.services.backups import create_backup
from storage_project.identity.caller import Caller
from tests.operations.engine import Engine
from volumes.backends import open_backend
from volumes.hypervisors import open_hypervisor
from volumes.models import Attachment, Server, Snapshot, Volume, VolumeType
from volumes.services.attachments import create_attachment
from volumes.services.servers import attach_to_server
from volumes.services.snapshots import create_snapshot
from volumes.services.volumes import create_volume

# A client on the machine that holds the volumes, where every export leads.
HERE = {"host": settings.STORAGE_HOST}
CONTENT = b"something that is worth a backup" * 4096


@dataclass(frozen=True)
class World:
    """What a request is made with: somebody, and an engine that brings things to their end."""

    caller: Caller
    volume_type: VolumeType
    engine: Engine

    def request_volume(
        self, *, size_gib: int = 1, source: Snapshot | Volume | None = None
    ) -> Volume:
        """A volume that is only asked for."""
        return create_volume(
            caller=self.caller, size_gib=size_gib, volume_type=self.volume_type, source=source
        )

    def volume(self) -> Volume:
        """A volume that is there."""
        volume = self.request_volume()
        self.engine.run()
        return Volume.objects.get(pk=volume.pk)

    def snapshot(self) -> Snapshot:
        """A snapshot that is there."""
        snapshot = create_snapshot(volume=self.volume(), caller=self.caller)
        self.engine.run()
        return Snapshot.objects.get(pk=snapshot.pk)

    def write(self, volume: Volume, content: bytes, *, offset: int = 0) -> None:
        """Have somebody who uses a volume write to it."""
        assert volume.pool is not None
        driver = open_backend(volume.pool.backend)
        with driver.open_writer(str(volume.pk), pool=volume.pool.name) as writer:
            writer.write(offset, content)
            writer.flush()

    def read(self, volume: Volume, length: int, *, offset: int = 0) -> bytes:
        """What is on a volume."""
        assert volume.pool is not None
        driver = open_backend(volume.pool.backend)
        with driver.open_reader(str(volume.pk), pool=volume.pool.name) as reader:
            return reader.read(offset, length)

    def backup(self, volume: Volume | None = None, **values: Any) -> Backup:
        """A backup that is there, of a volume that something was written to."""
        if volume is None:
            volume = self.volume()
            self.write(volume, CONTENT)
        backup = create_backup(volume=volume, caller=self.caller, **values)
        self.engine.run()
        return Backup.objects.get(pk=backup.pk)

    def damage(self, backup: Backup) -> tuple[str, bytes]:
        """Flip a bit of the first block of a backup; return the pack that has it, and what that
        was."""
        contents = open_contents(backup.container)
        contents.index.refresh()
        manifest = contents.read_manifest(ref_of(backup))
        page = contents.read_page(manifest.pages[0], manifest.project_id, FrameReader())
        digest = next(each for each in digests_in(page) if each != NULL_DIGEST)
        place = contents.index.find_all(digest)[0]
        key = key_of_pack(place.pack_id)
        whole = contents.driver.get(key)
        spoiled = bytearray(whole)
        spoiled[place.offset + 3] ^= 1
        contents.driver.put(key, [spoiled])
        return key, whole

    def server(self, number: int = 0) -> Server:
        """A server of the simulated hypervisor `lab`, as that reports it."""
        info = open_hypervisor("lab").list_servers()[number]
        server, _ = Server.objects.get_or_create(
            pk=info.server_id,
            defaults={
                "name": info.name,
                "status": info.status,
                "project_id": self.caller.project_id,
                "host": settings.STORAGE_HOST,
                "hypervisor": "lab",
            },
        )
        return server

    def attached(self, volume: Volume | None = None) -> Attachment:
        """A volume that is attached to a server."""
        attachment = attach_to_server(
            server=self.server(), volume=volume or self.volume(), caller=self.caller
        )
        self.engine.run()
        return Attachment.objects.get(pk=attachment.pk)

    def attachment(self, **values: Any) -> Attachment:
        """An attachment of a volume to a host, connected."""
        volume = values.pop("volume", None) or self.volume()
        attachment = create_attachment(
            volume=volume, caller=self.caller, **{"connector": HERE} | values
        )
        self.engine.run()
        return Attachment.objects.get(pk=attachment.pk)
