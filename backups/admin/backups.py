"""Backups: the list, and the story of each."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from backups.models import Backup, Schedule
from backups.services.backups import (
    delete_backup,
    force_delete_backup,
    reset_status,
    update_backup,
)
from backups.services.verification import try_restore, verify_backup
from backups.states import BACKUP, DELETABLE, READABLE, STATUSES, VERIFICATIONS
from drivers.units import shown_bytes
from storage_project.console.columns import (
    NOTHING,
    Tone,
    badge,
    document,
    duration,
    gib,
    moment,
    row_link,
)
from storage_project.console.confirmation import confirmed
from storage_project.console.filters import WordFilter
from storage_project.console.projects import ProjectFilter
from storage_project.console.search import id_range
from storage_project.identity.caller import Caller
from storage_project.operations.admin.story import ResourceRows
from volumes.admin.volumes import StatusFilter
from volumes.models import Volume


class BackupStatusFilter(StatusFilter):
    groups: ClassVar[dict[str, list[str]]] = {
        "moving": [*BACKUP.transitional],
        "in error": [status for status in STATUSES if status.startswith("error")],
    }
    settled: ClassVar[tuple[str, ...]] = ("available",)


class VerificationFilter(WordFilter):
    title = "content"
    parameter_name = "verification"

    def words(self) -> list[str]:
        return [*VERIFICATIONS]


class DamageFilter(WordFilter):
    """Those that one damage hits: only offered to whoever comes from its page."""

    title = "damage"
    parameter_name = "damage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        damage = request.GET.get(self.parameter_name)
        return [(damage, damage)] if damage else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        ids = id_range(self.value() or "")
        return queryset.filter(damages__in=ids[:1]) if ids else queryset


class StatusForm(forms.Form):
    status = forms.ChoiceField(choices=[(status, status) for status in ("available", "error")])


@confirmed(
    "Delete",
    explains="The backup will be gone for good. Others, also those that were compared with it, "
    "stay whole.",
    destroys=True,
    offered=lambda backup: backup.status in DELETABLE and not backup.protected,
)
def delete(backup: Backup, caller: Caller) -> None:
    delete_backup(backup=backup, caller=caller)


@confirmed(
    "Force delete",
    explains="What works on the backup is told to stop; then it will be gone for good, in whatever "
    "state it is now.",
    destroys=True,
    offered=lambda backup: not backup.protected,
)
def force_delete(backup: Backup, caller: Caller) -> None:
    force_delete_backup(backup=backup, caller=caller)


@confirmed(
    "Reset status",
    explains="Only the status in the database changes. Nothing is done in the repository, and an "
    "operation that works on the backup may end in an error because of it.",
    asks=StatusForm,
)
def reset(backup: Backup, caller: Caller, status: str) -> None:
    reset_status(backup=backup, status=status, caller=caller)


@confirmed(
    "Protect",
    explains="Nobody can delete the backup then, neither its retention nor by force, until it is "
    "not protected any more.",
    offered=lambda backup: not backup.protected,
)
def protect(backup: Backup, caller: Caller) -> None:
    update_backup(backup=backup, protected=True)


@confirmed(
    "Stop protecting",
    explains="The backup can be deleted again. Where a schedule has made it and does not want it "
    "any more, that happens within an hour.",
    offered=lambda backup: backup.protected,
)
def stop_protecting(backup: Backup, caller: Caller) -> None:
    update_backup(backup=backup, protected=False)


@confirmed(
    "Verify",
    explains="All of the backup is read and compared with its digests. It can be restored and "
    "deleted meanwhile.",
    offered=lambda backup: backup.status in READABLE,
)
def verify(backup: Backup, caller: Caller) -> None:
    verify_backup(backup=backup, caller=caller)


@confirmed(
    "Test a restore",
    explains="The backup is restored into a scratch file on a machine that reaches its repository, "
    "and compared. It leaves a dated report.",
    offered=lambda backup: backup.status in READABLE,
)
def test(backup: Backup, caller: Caller) -> None:
    try_restore(backup=backup, caller=caller)


@admin.register(Backup)
class BackupAdmin(ResourceRows):
    list_display = (
        "title",
        "state",
        "guarded",
        "known",
        "size",
        "of_volume",
        "container",
        "taken",
        "project",
    )
    list_filter = (
        BackupStatusFilter,
        "protected",
        VerificationFilter,
        DamageFilter,
        ProjectFilter,
        "container",
        "created_at",
    )
    ordering = ("-created_at", "-id")
    sortable_by = ("size", "taken")
    search_fields = ("name", "=project_id")
    search_ids = ("id", "volume_id", "schedule_id")
    search_help_text = (
        "Words of a name; the beginning of an id, or its volume's or schedule's; a project's id."
    )
    actions = (verify, test, delete, force_delete, protect, stop_protecting, reset)
    fields = (
        "id",
        "name",
        "description",
        "guarded",
        "size",
        "of_volume",
        "snapshot_id",
        "compared_with",
        "made_by",
        "container",
        "taken",
        "object_count",
        "read",
        "sent",
        "skipped",
        "known",
        "verified",
        "tested",
        "fail_reason",
        "project",
        "user_id",
        "shown_metadata",
        "created",
        "changed",
    )

    @admin.display(description="name", ordering="name")
    def title(self, backup: Backup) -> str:
        return backup.name or str(backup.pk)

    @admin.display(description="size", ordering="size_gib")
    def size(self, backup: Backup) -> str:
        return gib(backup.size_gib)

    @admin.display(description="read from the volume")
    def read(self, backup: Backup) -> str:
        return shown_bytes(backup.read_bytes)

    @admin.display(description="sent to the repository")
    def sent(self, backup: Backup) -> str:
        return shown_bytes(backup.transferred_bytes)

    @admin.display(description="known without reading")
    def skipped(self, backup: Backup) -> str:
        return shown_bytes(backup.skipped_bytes)

    @admin.display(description="volume")
    def of_volume(self, backup: Backup) -> SafeString | str:
        """It may be gone; then its page leads to its history."""
        name = backup.volume_properties.get("name")
        return row_link(Volume, backup.volume_id, name or str(backup.volume_id))

    @admin.display(description="compared with")
    def compared_with(self, backup: Backup) -> SafeString | str:
        if backup.parent_id is None:
            return NOTHING
        return row_link(Backup, backup.parent_id, str(backup.parent_id))

    @admin.display(description="protected", ordering="protected")
    def guarded(self, backup: Backup) -> SafeString | str:
        return badge("protected", Tone.GOOD) if backup.protected else NOTHING

    @admin.display(description="content", ordering="verification")
    def known(self, backup: Backup) -> SafeString | str:
        """What is known of it, once somebody has looked."""
        if not backup.verification:
            return NOTHING
        tone = Tone.GOOD if backup.verification == "ok" else Tone.BAD
        return badge(backup.verification, tone)

    @admin.display(description="verified")
    def verified(self, backup: Backup) -> SafeString | str:
        return format_html("{} {}", moment(backup.verified_at), backup.verification_detail)

    @admin.display(description="restore tested")
    def tested(self, backup: Backup) -> SafeString | str:
        if not backup.tested_at:
            return NOTHING
        report = backup.test_report
        took = f"{shown_bytes(report['bytes'])} in {duration(report['duration_s'])}"
        tone = Tone.GOOD if report["result"] == "ok" else Tone.BAD
        result = badge(report["result"], tone)
        return format_html("{} {}: {} {}", moment(backup.tested_at), result, took, report["detail"])

    @admin.display(description="schedule")
    def made_by(self, backup: Backup) -> SafeString | str:
        """It may be gone."""
        schedule = Schedule.objects.filter(pk=backup.schedule_id or backup.pk).first()
        if schedule is None:
            return str(backup.schedule_id or NOTHING)
        return row_link(Schedule, schedule.pk, schedule)

    @admin.display(description="taken", ordering="data_timestamp")
    def taken(self, backup: Backup) -> SafeString | str:
        return moment(backup.data_timestamp)

    @admin.display(description="metadata")
    def shown_metadata(self, backup: Backup) -> SafeString | str:
        return document(backup.metadata)

    @admin.display(description="changed")
    def changed(self, backup: Backup) -> SafeString | str:
        return moment(backup.updated_at)
