"""`/backups/{id}/restore`: bringing a backup back into a volume."""

from dataclasses import dataclass
from uuid import UUID

from rest_framework.response import Response

from backups import selectors
from backups.api.backup_bodies import RestoreBackup
from backups.api.backup_representations import RestoreRepresentation
from backups.services import restores as services
from storage_project.api.requests import ResourceRequest
from storage_project.api.views import ResourceView
from volumes.models import Volume
from volumes.selectors import get_volume


@dataclass(frozen=True)
class Restore:
    """What is brought back, and where to."""

    backup_id: UUID
    volume_id: UUID
    volume_name: str | None


class RestoreView(ResourceView):
    """Restores a backup: into the volume that is named, or into a new one like that which was
    backed up. The answer names the volume at once."""

    name = "Restoring a backup"
    policies = {"POST": "backup:restore"}
    bodies = {"POST": RestoreBackup}
    answers = {"POST": RestoreRepresentation}

    def post(self, request: ResourceRequest, backup_id: str) -> Response:
        values = self.read(request)
        backup = selectors.get_backup(request.auth, backup_id)
        skip_damaged = bool(values.get("skip_damaged"))
        volume: Volume
        if volume_id := values.get("volume_id"):
            volume = services.restore_backup(
                backup=backup,
                volume=get_volume(request.auth, volume_id),
                caller=request.auth,
                skip_damaged=skip_damaged,
            )
        else:
            volume = services.create_volume_from_backup(
                backup=backup,
                caller=request.auth,
                name=values.get("name") or f"restore_backup_{backup.pk}",
                description=backup.volume_properties.get("description"),
                skip_damaged=skip_damaged,
            )
        restore = Restore(backup_id=backup.pk, volume_id=volume.pk, volume_name=volume.name)
        return self.answer(restore, status=202)
