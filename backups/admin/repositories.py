"""Repositories: what is in them, whether it is whole, and what is done there."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from backups import selectors
from backups.models import Backup, Damage, Repository
from backups.services.repositories import collect_repository, scrub_repository
from drivers.units import shown_bytes
from storage_project.console.columns import (
    NOTHING,
    Tone,
    badge,
    list_link,
    list_url,
    moment,
    one_line,
    row_link,
    share,
)
from storage_project.console.confirmation import confirmed
from storage_project.console.filters import WordFilter
from storage_project.console.rows import EngineRows
from storage_project.identity.caller import Caller
from storage_project.operations.admin.story import SHOWN, ResourceRows


@confirmed(
    "Scrub",
    explains="The index, all manifests and a part of the packs are read, and it is looked whether "
    "every backup has all of its blocks. What can be mended is mended.",
    offered=lambda repository: repository.status == "available",
)
def scrub(repository: Repository, caller: Caller) -> None:
    scrub_repository(repository=repository, caller=caller)


@confirmed(
    "Collect",
    explains="What no backup needs is listed, and what was listed a day ago and is still not "
    "needed is freed.",
    offered=lambda repository: repository.status == "available",
)
def collect(repository: Repository, caller: Caller) -> None:
    collect_repository(repository=repository, caller=caller)


@admin.register(Repository)
class RepositoryAdmin(ResourceRows):
    change_form_template = "backups/repository.html"
    list_display = (
        "name",
        "reached",
        "state",
        "known_backups",
        "logical",
        "stored",
        "ratio",
        "room",
        "damages",
        "scrubbed",
    )
    ordering = ("name",)
    sortable_by = ("name",)
    search_fields = ("name", "=repository_id")
    search_ids = ("id",)
    actions = (scrub, collect)
    fields = (
        "id",
        "reached",
        "availability_zone",
        "repository_id",
        "encrypted",
        "known_backups",
        "logical",
        "unique",
        "stored",
        "ratio",
        "room",
        "measured",
        "damages",
        "collected",
        "scrubbed",
        "scrubbed_once",
        "created",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return selectors.repositories()

    @admin.display(description="reached")
    def reached(self, repository: Any) -> SafeString:
        return badge("up", Tone.GOOD) if repository.is_up else badge("down", Tone.BAD)

    @admin.display(description="availability zone")
    def availability_zone(self, repository: Any) -> str:
        return repository.availability_zone or NOTHING

    @admin.display(description="backups")
    def known_backups(self, repository: Repository) -> SafeString | str:
        if repository.backups is None:
            return NOTHING
        return list_link(Backup, f"{repository.backups:,}", container=repository.name)

    @admin.display(description="of their volumes")
    def logical(self, repository: Repository) -> str:
        return _size(repository.logical_bytes)

    @admin.display(description="different")
    def unique(self, repository: Repository) -> str:
        return _size(repository.unique_bytes)

    @admin.display(description="stored")
    def stored(self, repository: Repository) -> str:
        return _size(repository.stored_bytes)

    @admin.display(description="ratio")
    def ratio(self, repository: Repository) -> str:
        """How many bytes of volumes each stored byte stands for."""
        if not repository.stored_bytes or repository.logical_bytes is None:
            return NOTHING
        return f"{repository.logical_bytes / repository.stored_bytes:,.1f} : 1"

    @admin.display(description="room")
    def room(self, repository: Repository) -> SafeString | str:
        free, total = repository.free_bytes, repository.total_bytes
        if free is None or total is None:
            return NOTHING
        return share(total - free, total, f"{shown_bytes(free)} of {shown_bytes(total)} free")

    @admin.display(description="open damages")
    def damages(self, repository: Any) -> SafeString | str:
        if not repository.open_damages:
            return NOTHING
        address = {"repository__id__exact": str(repository.pk), "healed": "open"}
        return list_link(Damage, badge(f"{repository.open_damages:,}", Tone.BAD), **address)

    @admin.display(description="measured")
    def measured(self, repository: Repository) -> SafeString | str:
        return moment(repository.measured_at)

    @admin.display(description="collected")
    def collected(self, repository: Repository) -> SafeString | str:
        return moment(repository.collected_at)

    @admin.display(description="scrubbed")
    def scrubbed(self, repository: Repository) -> SafeString | str:
        return moment(repository.scrubbed_at)

    @admin.display(description="all of it scrubbed")
    def scrubbed_once(self, repository: Repository) -> SafeString | str:
        return moment(repository.scrubbed_once_at)

    def shown_besides(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        found = selectors.damages_of(row).filter(healed_at=None).order_by("-created_at", "-id")
        return super().shown_besides(request, row) | {
            "damages": [
                {
                    "link": row_link(Damage, damage.pk, damage.key),
                    "sentence": damage.sentence,
                    "hit": _hit(damage),
                    "found": moment(damage.created_at),
                }
                for damage in found[:SHOWN]
            ],
            "damages_url": list_url(Damage, repository__id__exact=str(row.pk)),
        }


class HealedFilter(WordFilter):
    title = "state"
    parameter_name = "healed"

    def words(self) -> list[str]:
        return ["open", "healed"]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value():
            return queryset.filter(healed_at__isnull=self.value() == "open")
        return queryset


@admin.register(Damage)
class DamageAdmin(EngineRows):
    list_display = ("key", "state", "of_repository", "hit", "what", "created")
    list_filter = (HealedFilter, "repository")
    list_select_related = ("repository",)
    ordering = ("-created_at", "-id")
    sortable_by = ("created",)
    search_fields = ("key", "sentence")
    search_ids = ("id",)
    fields = ("key", "state", "of_repository", "sentence", "hit", "created", "healed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return selectors.damages_of().select_related("repository")

    @admin.display(description="state")
    def state(self, damage: Damage) -> SafeString:
        return badge("open", Tone.BAD) if damage.healed_at is None else badge("healed", Tone.GOOD)

    @admin.display(description="repository")
    def of_repository(self, damage: Damage) -> SafeString:
        return row_link(Repository, damage.repository_id, damage.repository)

    @admin.display(description="backups hit")
    def hit(self, damage: Any) -> SafeString | str:
        return _hit(damage)

    @admin.display(description="what")
    def what(self, damage: Damage) -> SafeString:
        return one_line(damage.sentence)

    @admin.display(description="healed")
    def healed(self, damage: Damage) -> SafeString | str:
        return moment(damage.healed_at)


def _hit(damage: Any) -> SafeString | str:
    """How many backups a damage hits; leads to them."""
    if not damage.backup_count:
        return NOTHING
    return list_link(Backup, f"{damage.backup_count:,}", damage=str(damage.pk))


def _size(size_bytes: int | None) -> str:
    return NOTHING if size_bytes is None else shown_bytes(size_bytes)
