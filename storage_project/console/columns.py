"""How values look in the console: states, times, sizes, shares, links."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import orjson
from django.contrib.admin.templatetags.admin_urls import admin_urlname
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

NOTHING = "—"
NEARLY_FULL = 90  # percent


class Tone(StrEnum):
    """What a state means to whoever looks; the style sheet has a colour for each."""

    GOOD = "good"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"
    QUIET = "quiet"


def badge(text: str, tone: Tone) -> SafeString:
    """A state, in words and in colour."""
    return format_html('<span class="badge {}">{}</span>', tone, text)


def tone_of(status: str, transitional: Collection[str]) -> Tone:
    """The tone of a resource's status; `transitional` are those that an operation will leave."""
    if status in transitional:
        return Tone.BUSY
    if status.startswith("error"):
        return Tone.BAD
    return Tone.QUIET if status == "deleted" else Tone.GOOD


def moment(at: datetime | None) -> SafeString | str:
    """A time in UTC to the second, with its age for whoever points at it."""
    if at is None:
        return NOTHING
    at = at.astimezone(timezone.get_default_timezone())
    return format_html(
        '<time datetime="{}" title="{} ago">{}</time>',
        at.isoformat(timespec="milliseconds"),
        timesince(at),
        f"{at:%Y-%m-%d %H:%M:%S}",
    )


def duration(seconds: float) -> str:
    """A span as people say it: 0.43 s, 12 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    minutes, whole_seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole_seconds} s" if minutes else f"{whole_seconds} s"


def share(part: float, whole: float, text: str) -> SafeString:
    """A bar, with what it shows in words."""
    percent = min(100, round(100 * part / whole)) if whole > 0 else 100
    return format_html(
        '<span class="share {}"><progress value="{}" max="100" aria-label="{}"></progress> '
        "{}</span>",
        Tone.WARN if percent >= NEARLY_FULL else Tone.GOOD,
        percent,
        f"{percent} %",
        text,
    )


def gib(size: float) -> str:
    """A size in GiB, with a fraction only where there is one."""
    return f"{size:,.1f}".removesuffix(".0") + " GiB"


def gib_of(part: float, whole: float) -> str:
    """`13 of 60 GiB`."""
    return f"{gib(part).removesuffix(' GiB')} of {gib(whole)}"


def short(row_id: UUID) -> str:
    """The beginning of an id: enough to recognise it, and to search for it."""
    return str(row_id)[:8]


def row_link(model: type[Model], row_id: object, text: object) -> SafeString:
    """A link to the page of a row."""
    address = reverse(admin_urlname(model._meta, SafeString("change")), args=[row_id])
    return format_html('<a href="{}">{}</a>', address, text)


def list_url(model: type[Model], **filters: str) -> str:
    """The address of a list, filtered."""
    address = reverse(admin_urlname(model._meta, SafeString("changelist")))
    return f"{address}?{urlencode(filters)}"


def list_link(model: type[Model], text: object, **filters: str) -> SafeString:
    """A link to a list, filtered."""
    return format_html('<a href="{}">{}</a>', list_url(model, **filters), text)


def one_line(text: str) -> SafeString:
    """As much of a sentence as one line of a list has room for; all of it for who points at it."""
    return format_html('<span class="one-line" title="{0}">{0}</span>', text)


def document(value: object) -> SafeString | str:
    """A JSON value for people to read."""
    if not value:
        return NOTHING
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()
    return format_html('<pre class="document">{}</pre>', text)
