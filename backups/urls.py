"""The addresses of backups, their schedules and repositories, below `v3/` and `v3/<project>/`."""

from django.urls import path

from backups.api.backup_actions import BackupActions
from backups.api.backups import BackupsDetailView, BackupsView, BackupView
from backups.api.records import ExportRecordView, ImportRecordView
from backups.api.repositories import (
    DamagesView,
    RepositoriesView,
    RepositoryActions,
    RepositoryView,
)
from backups.api.restores import RestoreView
from backups.api.schedule_actions import ScheduleActions
from backups.api.schedule_runs import PlanView, RunsView, RunVolumesView
from backups.api.schedules import SchedulesDetailView, SchedulesView, ScheduleView

urlpatterns = [
    path("backups", BackupsView.as_view()),
    path("backups/detail", BackupsDetailView.as_view()),
    path("backups/import_record", ImportRecordView.as_view()),
    path("backups/<str:backup_id>", BackupView.as_view()),
    path("backups/<str:backup_id>/action", BackupActions.as_view()),
    path("backups/<str:backup_id>/restore", RestoreView.as_view()),
    path("backups/<str:backup_id>/export_record", ExportRecordView.as_view()),
    path("backup_repositories", RepositoriesView.as_view()),
    path("backup_repositories/<str:repository_id>", RepositoryView.as_view()),
    path("backup_repositories/<str:repository_id>/action", RepositoryActions.as_view()),
    path("backup_repositories/<str:repository_id>/damages", DamagesView.as_view()),
    path("backup_schedules", SchedulesView.as_view()),
    path("backup_schedules/detail", SchedulesDetailView.as_view()),
    path("backup_schedules/<str:schedule_id>", ScheduleView.as_view()),
    path("backup_schedules/<str:schedule_id>/action", ScheduleActions.as_view()),
    path("backup_schedules/<str:schedule_id>/plan", PlanView.as_view()),
    path("backup_schedules/<str:schedule_id>/runs", RunsView.as_view()),
    path("backup_schedules/<str:schedule_id>/runs/<str:run_id>/volumes", RunVolumesView.as_view()),
]
