"""The rows of repositories: there is one as soon as anybody tells of a repository."""

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from backups.models import Repository
from storage_project.operations.flow import record

# How often what nobody needs is looked for, and how often a part of what there is is read.
COLLECT_EVERY = timedelta(hours=1)
SCRUB_EVERY = timedelta(days=1)
# How long it is left alone when that could not be done.
AFTER_FAILURE = timedelta(days=1)


def known_repository(name: str) -> Repository:
    """The row of a repository, made now unless it is there."""
    found = Repository.objects.filter(name=name).first()
    if found is not None:
        return found
    now = timezone.now()
    try:
        with transaction.atomic():
            made = Repository.objects.create(
                name=name, collect_after=now + COLLECT_EVERY, scrub_after=now + SCRUB_EVERY
            )
            record(made, "")
    except IntegrityError:
        return Repository.objects.get(name=name)  # somebody else has just made it
    return made
