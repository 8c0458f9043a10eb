"""`/backups`: making, listing, showing, changing and deleting them."""

from django.db.models import QuerySet
from rest_framework.response import Response

from backups import selectors
from backups.api.backup_bodies import CreateBackup, UpdateBackup
from backups.api.backup_filter import SORTABLE, BackupFilter
from backups.api.backup_representations import BackupNameRepresentation, BackupRepresentation
from backups.models import Backup
from backups.services import backups as services
from storage_project.api.filters import wants_all_projects
from storage_project.api.paging import paginate
from storage_project.api.requests import ResourceRequest
from storage_project.api.versions import Microversion
from storage_project.api.views import ResourceView
from volumes.selectors import get_snapshot, get_volume


def asked_for(request: ResourceRequest) -> "QuerySet[Backup]":
    """The backups that the caller may see and the query asks for."""
    backups = selectors.backups_of(request.auth, all_projects=wants_all_projects(request))
    return BackupFilter.apply(backups, request)


class BackupsView(ResourceView):
    """The backups of the project, newest first, by id and name; and where new ones are made."""

    name = "Backups"
    policies = {"GET": "backup:list", "POST": "backup:create"}
    bodies = {"POST": CreateBackup}
    answers = {"GET": [BackupNameRepresentation], "POST": BackupRepresentation}

    def get(self, request: ResourceRequest) -> Response:
        return self.answer(paginate(asked_for(request), request, sortable=SORTABLE))

    def post(self, request: ResourceRequest) -> Response:
        values = self.read(request)
        volume = get_volume(request.auth, values.pop("volume_id"))
        snapshot_id = values.pop("snapshot_id", None)
        snapshot = get_snapshot(request.auth, snapshot_id) if snapshot_id else None
        backup = services.create_backup(
            volume=volume, snapshot=snapshot, caller=request.auth, **values
        )
        return self.answer(backup, status=202)


class BackupsDetailView(ResourceView):
    """The backups of the project with all that there is to know of them."""

    name = "Backups in detail"
    policies = {"GET": "backup:list"}
    answers = {"GET": [BackupRepresentation]}

    def get(self, request: ResourceRequest) -> Response:
        page = paginate(asked_for(request), request, sortable=SORTABLE)
        selectors.note_work(page)
        return self.answer(page)


class BackupView(ResourceView):
    """One backup."""

    name = "Backup"
    policies = {"GET": "backup:get", "PUT": "backup:update", "DELETE": "backup:delete"}
    gates = {"PUT": Microversion(3, 9)}
    bodies = {"PUT": UpdateBackup}
    answers = {"GET": BackupRepresentation, "PUT": BackupRepresentation}

    def get(self, request: ResourceRequest, backup_id: str) -> Response:
        backup = selectors.get_backup(request.auth, backup_id)
        selectors.note_work([backup])
        return self.answer(backup)

    def put(self, request: ResourceRequest, backup_id: str) -> Response:
        values = self.read(request)
        backup = selectors.get_backup(request.auth, backup_id)
        return self.answer(services.update_backup(backup=backup, **values))

    def delete(self, request: ResourceRequest, backup_id: str) -> Response:
        backup = selectors.get_backup(request.auth, backup_id)
        services.delete_backup(backup=backup, caller=request.auth)
        return Response(status=202)
