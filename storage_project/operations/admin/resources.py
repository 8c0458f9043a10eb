"""Resources of the apps above, as the console's pages of the engine show them."""

from typing import Any

from django.db import models
from django.utils.safestring import SafeString

from storage_project.console.columns import badge, row_link, short, tone_of
from storage_project.operations.pipeline import pipelines


def resource_models() -> dict[str, type[models.Model]]:
    """The model of every type of resource that some pipeline works on."""
    return {p.model.flow.resource: p.model for p in pipelines().values()}  # type: ignore[attr-defined]


def resource_link(row: Any, text: str = "") -> SafeString | str:
    """To the page of the resource that an operation, a message or a move is about."""
    text = text or f"{row.resource_type} {short(row.resource_id)}"
    model = resource_models().get(row.resource_type)
    return row_link(model, row.resource_id, text) if model else text


def resource_badge(resource_type: str, status: str) -> SafeString:
    """A status of a resource, in the tone that its flow gives it."""
    model: Any = resource_models().get(resource_type)
    return badge(status, tone_of(status, model.flow.transitional if model else ()))
