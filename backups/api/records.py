"""Exporting the record of a backup, and importing one."""

from rest_framework.response import Response

from backups import selectors
from backups.api.backup_bodies import ImportRecord
from backups.api.backup_representations import BackupNameRepresentation, RecordRepresentation
from backups.services import records as services
from storage_project.api.requests import ResourceRequest
from storage_project.api.views import ResourceView


class ExportRecordView(ResourceView):
    """All that the database knows of a backup, to be imported into another that has its
    repository."""

    name = "Record of a backup"
    policies = {"GET": "backup:export"}
    answers = {"GET": RecordRepresentation}

    def get(self, request: ResourceRequest, backup_id: str) -> Response:
        backup = selectors.get_backup(request.auth, backup_id)
        return self.answer(services.export_record(backup=backup))


class ImportRecordView(ResourceView):
    """Takes up a backup that the database does not know."""

    name = "Importing a backup"
    policies = {"POST": "backup:import"}
    bodies = {"POST": ImportRecord}
    answers = {"POST": BackupNameRepresentation}

    def post(self, request: ResourceRequest) -> Response:
        values = self.read(request)
        return self.answer(services.import_record(caller=request.auth, **values), status=201)
