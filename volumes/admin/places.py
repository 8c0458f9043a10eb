"""Services and pools: the workers that reach the storage, and how much room there is."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from storage_project.console.columns import (
    NOTHING,
    Tone,
    badge,
    document,
    gib,
    gib_of,
    list_link,
    moment,
    row_link,
    share,
)
from storage_project.console.confirmation import confirmed
from storage_project.console.rows import EngineRows
from storage_project.identity.caller import Caller
from volumes import selectors
from volumes.models import Pool, Service, Volume
from volumes.scheduler.capacity import limit_gib, room_gib
from volumes.services.services import set_service_enabled


class PoolFilter(admin.SimpleListFilter):
    """All pools by name, read in one query."""

    title = "pool"
    parameter_name = "pool"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pool.pk), pool.host) for pool in selectors.pools()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(pool=self.value()) if self.value() else queryset


class ReasonForm(forms.Form):
    reason = forms.CharField(
        max_length=255, help_text="The scheduler gives it when it passes over the service."
    )


@confirmed(
    "Enable", explains="It gets new work again.", offered=lambda service: not service.enabled
)
def enable(service: Service, caller: Caller) -> None:
    set_service_enabled(binary=service.binary, host=service.host, enabled=True)


@confirmed(
    "Disable",
    explains="It gets no new volumes, and finishes what it has.",
    asks=ReasonForm,
    offered=lambda service: service.enabled,
)
def disable(service: Service, caller: Caller, reason: str) -> None:
    set_service_enabled(binary=service.binary, host=service.host, enabled=False, reason=reason)


@admin.register(Service)
class ServiceAdmin(EngineRows):
    list_display = (
        "__str__",
        "state",
        "down_reason",
        "disabled_reason",
        "availability_zone",
        "heartbeat",
    )
    list_filter = ("enabled", "binary", "availability_zone")
    search_fields = ("host", "disabled_reason")
    ordering = ("binary", "host")
    actions = (enable, disable)
    fields = (
        "binary",
        "host",
        "state",
        "down_reason",
        "disabled_reason",
        "availability_zone",
        "heartbeat",
        "created",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return selectors.services()

    @admin.display(description="state")
    def state(self, service: Any) -> SafeString:
        return state_of_service(service, is_up=service.is_up)

    @admin.display(description="last heartbeat", ordering="heartbeat_at")
    def heartbeat(self, service: Service) -> SafeString | str:
        return moment(service.heartbeat_at)


def state_of_service(service: Service, *, is_up: bool) -> SafeString:
    """Whether its heart beats, and whether an operator has switched it off."""
    up = badge("up", Tone.GOOD) if is_up else badge("down", Tone.BAD)
    disabled = badge("disabled", Tone.WARN)
    return up if service.enabled else format_html("{} {}", up, disabled)


@admin.register(Pool)
class PoolAdmin(EngineRows):
    list_display = ("host", "state", "promised", "written", "room", "volumes_here")
    list_filter = ("backend", "service__availability_zone", "thin")
    search_fields = ("name", "service__host")
    ordering = ("service__host", "name")
    fieldsets = (
        (None, {"fields": ("host", "service_link", "state", "volumes_here", "seen")}),
        ("Room", {"fields": ("promised", "written", "room", "reserved_percentage")}),
        (
            "As configured",
            {"fields": ("backend", "thin", "max_over_subscription_ratio", "preference")},
        ),
        ("Capabilities", {"fields": ("shown_capabilities",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return selectors.pools()

    @admin.display(description="service")
    def service_link(self, pool: Pool) -> SafeString | str:
        return row_link(Service, pool.service_id, pool.service)

    @admin.display(description="state")
    def state(self, pool: Any) -> SafeString:
        return state_of_service(pool.service, is_up=pool.is_up)

    @admin.display(description="promised")
    def promised(self, pool: Pool) -> SafeString:
        limit = limit_gib(pool)
        return share(pool.allocated_gib, limit, gib_of(pool.allocated_gib, limit))

    @admin.display(description="written")
    def written(self, pool: Pool) -> SafeString:
        used = pool.total_gib - pool.free_gib
        return share(used, pool.total_gib, gib_of(used, pool.total_gib))

    @admin.display(description="fits at most")
    def room(self, pool: Pool) -> str:
        return gib(max(0, room_gib(pool)))

    @admin.display(description="volumes")
    def volumes_here(self, pool: Pool) -> SafeString | str:
        if not pool.allocated_volumes:
            return NOTHING
        return list_link(Volume, pool.allocated_volumes, pool=str(pool.pk))

    @admin.display(description="reported", ordering="reported_at")
    def seen(self, pool: Pool) -> SafeString | str:
        return moment(pool.reported_at)

    @admin.display(description="capabilities")
    def shown_capabilities(self, pool: Pool) -> SafeString | str:
        return document(pool.capabilities)
