"""Scrubbing: a part of a repository is read each day, oldest first, and what is wrong is mended as
far as that can be done.

    records   everything but packs: each time all of it
    packs     those that were found damaged before, then as many as there is budget for
    maps      whether every backup has all that it needs; whom the damage hits

The index is made anew from the packs where it is damaged or lacks something. A damaged list of
packs to delete is deleted, which loses nothing. A damaged pack is put on such a list: what it has
counts as missing then, so the next backup that needs a block of it stores that again, and every
backup that has the block is whole again.
"""

from collections.abc import Iterable
from contextlib import suppress

from django.conf import settings
from django.db.models.functions import Now

from backups.contents import open_contents
from backups.engine.hits import Hit, find_hits
from backups.engine.packs import pack_id_in
from backups.engine.repository import Repository as Contents
from backups.engine.tombstones import condemn, condemned_packs
from backups.engine.verify import (
    Damage,
    Depth,
    verify_objects,
    verify_packs,
    verify_records,
)
from backups.models import Repository
from backups.sessions import LeasedSessions
from backups.upkeep.damages import open_damages, opened, settle
from backups.upkeep.mending import counting, mend_index, renew_index
from drivers.errors import DriverError
from drivers.units import GIB, MIB
from storage_project.operations.run import Run

LEAST_BYTES = GIB
NOTE_EVERY_BYTES = 256 * MIB
PACKS, LISTS, INDEX = "packs/", "tombstones/", "index/"


def budget_of(repository: Repository) -> int:
    """How many bytes of packs one scrub reads."""
    return max(LEAST_BYTES, (repository.stored_bytes or 0) // (settings.SCRUB_DAYS or 30))


def scrub(row: Repository, run: Run) -> None:
    """One scrub of a repository; its damages and its backups tell what was found."""
    for name in ("packs", "read_bytes", "mended"):
        run.notes.setdefault(name, 0)
    contents = open_contents(row.name)
    found = _look_at_records(contents, run)
    found += _look_again(contents, row, run)
    found += _look_at_packs(contents, row, run)
    hits = _look_at_maps(contents, found, run)
    wrong = {damage.key: _sentence(damage) for damage in found}
    _condemn(contents, row.name, {*wrong, *(key for hit in hits for key in hit.keys)})
    with run.checkpoint():
        settled = settle(row, wrong, hits, run)
        run.notes["result"] = {
            **{name: run.notes[name] for name in ("packs", "read_bytes", "mended")},
            "damages": settled.open,
            "healed": settled.healed,
            "backups_hit": settled.backups_hit,
        }


def _look_at_records(contents: Contents, run: Run) -> list[Damage]:
    found = verify_records(contents, counting(run, "looks at the records"))
    if any(damage.key.startswith(INDEX) for damage in found):
        renew_index(contents, run)
    lists = [damage.key for damage in found if damage.key.startswith(LISTS)]
    contents.driver.delete(lists)
    left = [damage for damage in found if not damage.key.startswith((INDEX, LISTS))]
    run.notes["mended"] += len(found) - len(left)
    return left


def _look_again(contents: Contents, row: Repository, run: Run) -> list[Damage]:
    known = [damage.key for damage in open_damages(row) if damage.key.startswith(PACKS)]
    return verify_objects(contents, known, counting(run, "looks again at what was damaged"))


def _look_at_packs(contents: Contents, row: Repository, run: Run) -> list[Damage]:
    """Read on where the last scrub ended, or this one when its worker was killed."""
    notes, found = run.notes, list[Damage]()
    budget = budget_of(row)
    total = min(budget, row.stored_bytes or budget)
    noted = notes["read_bytes"]
    rows = Repository.objects.filter(pk=row.pk)
    looked_at = 0
    if noted >= budget or notes.get("reached_end"):
        return found
    for pack in verify_packs(contents, Depth.content, after=row.scrub_reached or None):
        looked_at += 1
        notes["packs"] += 1
        notes["read_bytes"] += pack.size_bytes
        read_bytes = notes["read_bytes"]
        if pack.damage is not None or read_bytes >= min(budget, noted + NOTE_EVERY_BYTES):
            noted = read_bytes
            with run.checkpoint():
                rows.update(scrub_reached=pack.position)
                if pack.damage is not None:
                    opened(row, pack.damage.key, _sentence(pack.damage))
        found += [pack.damage] if pack.damage else []
        run.progress(read_bytes, total, phase="reads packs", read_bytes=read_bytes)
        run.keep_going()
        if read_bytes >= budget:
            return found
    notes["reached_end"] = looked_at > 0 or not row.scrub_reached
    row.scrub_reached = ""
    with run.checkpoint():
        rows.update(scrub_reached="", scrubbed_once_at=Now())
    # There was nothing behind: it begins anew.
    return found if notes["reached_end"] else _look_at_packs(contents, row, run)


def _look_at_maps(contents: Contents, found: list[Damage], run: Run) -> list[Hit]:
    tick = counting(run, "looks which backups are hit")
    hits = list(find_hits(contents, found, tick))
    is_unknown = any(not key.startswith(PACKS) and hit.extents for hit in hits for key in hit.keys)
    if is_unknown and mend_index(contents, run):
        run.notes["mended"] += 1
        hits = list(find_hits(contents, found, tick))
    return hits


def _condemn(contents: Contents, name: str, keys: Iterable[str]) -> None:
    """Have what is in damaged packs stored again."""
    packs = set()
    for key in keys:
        with suppress(DriverError):  # something that is not the repository's own
            packs.add(pack_id_in(key))
    if new := packs - condemned_packs(contents.driver):
        condemn(contents.driver, LeasedSessions(name), frozenset(new))


def _sentence(damage: Damage) -> str:
    return f"{damage.error.sentence} {damage.error.detail}".strip()
