"""The addresses of backups, below `v3/` and `v3/<project>/`."""

from django.urls import path

from backups.api.backup_actions import BackupActions
from backups.api.backups import BackupsDetailView, BackupsView, BackupView
from backups.api.records import ExportRecordView, ImportRecordView
from backups.api.restores import RestoreView

urlpatterns = [
    path("backups", BackupsView.as_view()),
    path("backups/detail", BackupsDetailView.as_view()),
    path("backups/import_record", ImportRecordView.as_view()),
    path("backups/<str:backup_id>", BackupView.as_view()),
    path("backups/<str:backup_id>/action", BackupActions.as_view()),
    path("backups/<str:backup_id>/restore", RestoreView.as_view()),
    path("backups/<str:backup_id>/export_record", ExportRecordView.as_view()),
]
