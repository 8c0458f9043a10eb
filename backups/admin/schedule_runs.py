"""The slots of schedules, and what became of each volume in them."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django.utils.safestring import SafeString

from backups.models import Backup, Schedule, ScheduledBackup, ScheduleRun
from backups.schedule_models import ENDED, FAILED, MISSED, OUTCOMES, RUNNING, SUCCEEDED, WAITING
from backups.services.slots import count_outcomes
from storage_project.console.columns import (
    NOTHING,
    Tone,
    badge,
    list_url,
    moment,
    one_line,
    row_link,
)
from storage_project.console.filters import WordFilter
from storage_project.console.rows import EngineRows
from storage_project.operations.admin.story import SHOWN
from volumes.models import Volume

TONES = {
    WAITING: Tone.WARN,
    RUNNING: Tone.BUSY,
    SUCCEEDED: Tone.GOOD,
    ENDED: Tone.GOOD,
    FAILED: Tone.BAD,
    MISSED: Tone.BAD,
}


def shown_outcomes(outcomes: dict[str, int]) -> str:
    told = [f"{outcomes[each]} {each}" for each in OUTCOMES if outcomes.get(each)]
    return ", ".join(told) or NOTHING


@admin.register(ScheduleRun)
class ScheduleRunAdmin(EngineRows):
    """The slots of all schedules."""

    change_form_template = "backups/schedule_run.html"
    list_display = ("begun", "of_schedule", "state", "counts", "told")
    list_filter = ("status", "is_extra")
    ordering = ("-slot", "-id")
    sortable_by = ("begun",)
    search_ids = ("id", "schedule_id")
    fields = ("begun", "of_schedule", "is_extra", "counts", "told", "until", "finished")

    def get_queryset(self, request: HttpRequest) -> Any:
        """Its schedule may be gone."""
        names = Schedule.objects.filter(pk=OuterRef("schedule_id")).values("name")
        return super().get_queryset(request).annotate(schedule_name=Subquery(names[:1]))

    @admin.display(description="slot", ordering="slot")
    def begun(self, run: ScheduleRun) -> SafeString | str:
        return moment(run.slot)

    @admin.display(description="schedule")
    def of_schedule(self, run: Any) -> SafeString | str:
        if run.schedule_name is None:
            return str(run.schedule_id)
        return row_link(Schedule, run.schedule_id, run.schedule_name)

    @admin.display(description="status", ordering="status")
    def state(self, run: ScheduleRun) -> SafeString:
        return badge(run.status, TONES[run.status])

    @admin.display(description="volumes")
    def counts(self, run: ScheduleRun) -> str:
        return shown_outcomes(run.outcomes)

    @admin.display(description="note")
    def told(self, run: ScheduleRun) -> SafeString:
        return one_line(run.note or NOTHING)

    @admin.display(description="window ends")
    def until(self, run: ScheduleRun) -> SafeString | str:
        return moment(run.ends_at)

    @admin.display(description="finished")
    def finished(self, run: ScheduleRun) -> SafeString | str:
        return moment(run.finished_at)

    def shown_besides(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """Those that were not backed up stand first, with the reason."""
        backups = row.backups.exclude(status=SUCCEEDED).order_by("status", "volume_id")[:SHOWN]
        volumes = [
            {
                "volume": row_link(Volume, each.volume_id, each.volume_id),
                "state": badge(each.status, TONES[each.status]),
                "backup": row_link(Backup, each.backup_id, "backup") if each.backup_id else NOTHING,
                "note": each.note,
            }
            for each in backups
        ]
        url = list_url(ScheduledBackup, run__id__exact=str(row.pk))
        row.outcomes = count_outcomes([row.pk])[row.pk]
        return {"state": self.state(row), "volumes": volumes, "volumes_url": url}


class OutcomeFilter(WordFilter):
    title = "outcome"
    parameter_name = "status"

    def words(self) -> list[str]:
        return [*OUTCOMES]


@admin.register(ScheduledBackup)
class ScheduledBackupAdmin(EngineRows):
    """Each volume in each slot."""

    list_display = ("volume", "slot", "state", "told", "backup")
    list_filter: ClassVar[Any] = (OutcomeFilter,)
    list_select_related = ("run",)
    ordering = ("-created_at", "-id")
    sortable_by = ()
    search_ids = ("volume_id", "schedule_id", "backup_id")
    search_help_text = "The beginning of the id of a volume, a schedule or a backup."
    fields = ("volume", "slot", "state", "note", "backup", "tries", "failures", "begins_at")

    @admin.display(description="volume")
    def volume(self, row: ScheduledBackup) -> SafeString:
        return row_link(Volume, row.volume_id, row.volume_id)

    @admin.display(description="slot")
    def slot(self, row: ScheduledBackup) -> SafeString:
        return row_link(ScheduleRun, row.run_id, moment(row.run.slot))

    @admin.display(description="outcome")
    def state(self, row: ScheduledBackup) -> SafeString:
        return badge(row.status, TONES[row.status])

    @admin.display(description="note")
    def told(self, row: ScheduledBackup) -> SafeString:
        return one_line(row.note or NOTHING)

    @admin.display(description="backup")
    def backup(self, row: ScheduledBackup) -> SafeString | str:
        return row_link(Backup, row.backup_id, row.backup_id) if row.backup_id else NOTHING
