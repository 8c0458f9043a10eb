"""What can be asked of a repository, and what is due there by itself."""

from contextlib import suppress
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from backups.known import COLLECT_EVERY, SCRUB_EVERY, known_repository
from backups.models import Repository
from storage_project.identity.caller import Caller
from storage_project.operations.flow import StateConflict, advance
from storage_project.operations.models import Operation
from storage_project.operations.services import open_operation
from volumes.services.rows import lock_row


def scrub_repository(*, repository: Repository, caller: Caller) -> Operation:
    """Look whether a part of a repository is whole, and mend what can be. Raises `StateConflict`
    while it is scrubbed or collected."""
    return _begin("scrub", repository, caller, scrub_after=Now() + SCRUB_EVERY)


def collect_repository(*, repository: Repository, caller: Caller) -> Operation:
    """Free what no backup in a repository needs. Raises `StateConflict` as above."""
    return _begin("collect", repository, caller, collect_after=Now() + COLLECT_EVERY)


def _begin(
    what: str, repository: Repository, caller: Caller, *, where: Q | None = None, **due: Any
) -> Operation:
    with transaction.atomic():
        repository = lock_row(repository)
        operation = open_operation(
            kind=f"repository.{what}",
            resource=repository,
            project_id=caller.project_id or "",
            caller=caller,
        )
        advance(repository, what, operation=operation, where=where, **due)
        return operation


def begin_what_is_due(name: str) -> None:
    """Begin to scrub or collect a repository when it is time; of several who look, one does.

    What is at work there comes first: it will be looked at again soon.
    """
    repository = known_repository(name)
    dues = {"collect": ("collect_after", COLLECT_EVERY)}
    if settings.SCRUB_DAYS:
        dues = {"scrub": ("scrub_after", SCRUB_EVERY), **dues}
    for what, (column, every) in dues.items():
        is_due = Q(**{f"{column}__lte": Now()})
        if Repository.objects.filter(is_due, pk=repository.pk, status="available").exists():
            with suppress(StateConflict):
                _begin(what, repository, itself(), where=is_due, **{column: Now() + every})


def itself() -> Caller:
    """Nobody has asked: Khoi does it by itself."""
    return Caller(
        user_id="",
        user_name="khoi",
        project_id=None,
        project_name=None,
        roles=frozenset(),
        request_id=f"req-{uuid4()}",
    )
