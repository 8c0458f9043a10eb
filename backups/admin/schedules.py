"""Schedules: what they cover, how their slots went, and what their retention will do."""

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backups.admin.schedule_runs import TONES, shown_outcomes
from backups.models import Backup, Schedule, ScheduleRun
from backups.selectors import TYPE_NAME
from backups.services.pruning import VolumePlan, plan_volumes, volumes_with_backups
from backups.services.schedules import delete_schedule, run_schedule, update_schedule
from backups.services.slots import count_outcomes
from storage_project.console.columns import (
    Tone,
    badge,
    list_url,
    moment,
    row_link,
)
from storage_project.console.confirmation import confirmed
from storage_project.console.projects import ProjectFilter
from storage_project.console.rows import EngineRows
from storage_project.identity.caller import Caller
from storage_project.operations.admin.story import SHOWN
from volumes.models import Volume, VolumeType

RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly")


@confirmed(
    "Run now",
    explains="All volumes that the schedule covers are backed up now, as a slot that is not in "
    "the plan.",
)
def run_now(schedule: Schedule, caller: Caller) -> None:
    run_schedule(schedule=schedule)


@confirmed(
    "Enable",
    explains="The schedule goes on with its next slot. Those that went by meanwhile are not made "
    "up for. Its retention deletes again what its rules do not keep.",
    offered=lambda schedule: not schedule.enabled,
)
def enable(schedule: Schedule, caller: Caller) -> None:
    update_schedule(schedule=schedule, enabled=True)


@confirmed(
    "Disable",
    explains="The schedule makes no backups and deletes none until it is enabled again. Backups "
    "that are being made go on.",
    offered=lambda schedule: schedule.enabled,
)
def disable(schedule: Schedule, caller: Caller) -> None:
    update_schedule(schedule=schedule, enabled=False)


@confirmed(
    "Delete",
    explains="The schedule will be gone for good. The backups that it has made stay, and nothing "
    "deletes them any more.",
    destroys=True,
)
def delete(schedule: Schedule, caller: Caller) -> None:
    delete_schedule(schedule=schedule)


@admin.register(Schedule)
class ScheduleAdmin(EngineRows):
    change_form_template = "backups/schedule.html"
    list_display = ("name", "state", "covers", "times", "next", "last", "project")
    list_filter = ("enabled", ProjectFilter)
    ordering = ("-created_at", "-id")
    sortable_by = ("name", "next", "last")
    search_fields = ("name", "=project_id")
    search_ids = ("id", "volume_id")
    search_help_text = "Words of a name; the beginning of an id, or its volume's; a project's id."
    actions = (run_now, enable, disable, delete)
    fields = (
        "id",
        "name",
        "description",
        "disabled_reason",
        "covers",
        "times",
        "jitter_minutes",
        "window_minutes",
        "makes",
        "force",
        "container",
        "keeps",
        "next",
        "last",
        "project",
        "user_id",
        "created",
        "changed",
    )

    def get_queryset(self, request: HttpRequest) -> Any:
        """Its volume may be gone."""
        names = Volume.objects.filter(pk=OuterRef("volume_id")).values("name")
        schedules = super().get_queryset(request)
        return schedules.annotate(volume_type_name=TYPE_NAME, volume_name=Subquery(names[:1]))

    @admin.display(description="status", ordering="enabled")
    def state(self, schedule: Schedule) -> SafeString:
        if schedule.enabled:
            return badge("enabled", Tone.GOOD)
        return badge("disabled", Tone.BAD if schedule.disabled_reason else Tone.QUIET)

    @admin.display(description="covers")
    def covers(self, schedule: Any) -> SafeString:
        if schedule.volume_id is not None:
            name = schedule.volume_name or schedule.volume_id
            return row_link(Volume, schedule.volume_id, name)
        of_type = row_link(VolumeType, schedule.volume_type_id, schedule.volume_type_name)
        whose = "all projects" if schedule.all_projects else "the project"
        return format_html("volumes of type {}, of {}", of_type, whose)

    @admin.display(description="slots")
    def times(self, schedule: Schedule) -> SafeString:
        return format_html("<code>{}</code> {}", schedule.cron, schedule.time_zone)

    @admin.display(description="makes")
    def makes(self, schedule: Schedule) -> str:
        if not schedule.incremental:
            return "full backups"
        every = schedule.full_every
        return "incremental backups" + (f", every {every}th of them full" if every else "")

    @admin.display(description="keeps")
    def keeps(self, schedule: Schedule) -> str:
        kept = [f"{n} {rule}" for rule in RULES if (n := getattr(schedule, f"keep_{rule}"))]
        if schedule.max_age_days is not None:
            kept.append(f"none older than {schedule.max_age_days} days")
        return ", ".join(kept) or "all"

    @admin.display(description="next slot", ordering="next_slot")
    def next(self, schedule: Schedule) -> SafeString | str:
        return moment(schedule.next_slot)

    @admin.display(description="last slot", ordering="last_slot")
    def last(self, schedule: Schedule) -> SafeString | str:
        return moment(schedule.last_slot)

    @admin.display(description="changed")
    def changed(self, schedule: Schedule) -> SafeString | str:
        return moment(schedule.updated_at)

    def shown_besides(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {"state": self.state(row)} | runs_of(row) | plans_of(row)


def runs_of(schedule: Schedule) -> dict[str, Any]:
    """The latest runs for the page of a schedule, and where the rest is."""
    runs = [*ScheduleRun.objects.filter(schedule_id=schedule.pk).order_by("-slot")[:SHOWN]]
    counted = count_outcomes([run.pk for run in runs if run.finished_at is None])
    return {
        "runs": [
            {
                "slot": row_link(ScheduleRun, run.pk, moment(run.slot)),
                "state": badge(run.status, TONES[run.status]),
                "outcomes": shown_outcomes(counted.get(run.pk, run.outcomes)),
                "note": "asked for" if run.is_extra else run.note,
            }
            for run in runs
        ],
        "runs_url": list_url(ScheduleRun, schedule_id=str(schedule.pk)),
    }


def plans_of(schedule: Schedule) -> dict[str, Any]:
    """What retention would do, for the first of its volumes."""
    ids = volumes_with_backups(schedule, beyond=None, limit=SHOWN + 1)
    names = dict(Volume.objects.filter(pk__in=ids).values_list("pk", "name"))
    plans = plan_volumes(schedule, ids[:SHOWN])
    return {
        "plans": [shown_plan(plan, names.get(plan.volume_id)) for plan in plans],
        "has_more_plans": len(ids) > SHOWN,
    }


def shown_plan(plan: VolumePlan, name: str | None) -> dict[str, Any]:
    return {
        "volume": row_link(Volume, plan.volume_id, name or plan.volume_id),
        "backups": [
            {
                "link": row_link(Backup, planned.backup.pk, planned.backup),
                "taken": moment(planned.backup.data_timestamp),
                "verdict": badge("kept", Tone.GOOD) if planned.keep else badge("goes", Tone.WARN),
                "reason": planned.reason,
            }
            for planned in plan.backups
        ],
    }
