"""What is known to be damaged in repositories, as rows: which objects, and which backups they hit.

One row for each object. It is open until all that any backup needs of the object is there again;
found once more, it is opened again.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from backups.engine.hits import Hit
from backups.known import known_repository
from backups.models import Backup, Damage, Repository
from backups.upkeep.bad_ranges import add_bad_ranges, no_bad_ranges, sentence_of
from storage_project.operations.messages import SENTENCES, Code
from storage_project.operations.models import Operation
from storage_project.operations.run import Run
from storage_project.operations.telling import tell

BAD_PACK = "A pack of the repository is damaged or missing."
MISSING_PACK = "A pack of the repository is missing."
UNKNOWN_BLOCKS = "No pack has some of the blocks that this backup needs."
HEALED = "What was damaged of it is whole again."
AT_ONCE = 500
HIT = Damage.backups.through.objects.filter(backup=OuterRef("pk"), damage__healed_at=None)


def open_damages(repository: Repository) -> "QuerySet[Damage]":
    return Damage.objects.filter(repository=repository, healed_at=None)


def found_whole(row: Backup) -> None:
    """Say that all of a backup was read and is what was written; in the caller's transaction."""
    for damage in Damage.objects.filter(backups=row, healed_at=None):
        damage.backups.remove(row)
    Backup.objects.filter(pk=row.pk).update(
        verified_at=Now(), verification="ok", verification_detail=""
    )


def found_damaged(
    row: Backup, sentence: str, objects: Mapping[str, str], operation: Operation
) -> None:
    """Say what of a backup is lost, and because of which objects; in the caller's transaction.

    The repository is scrubbed next: it finds out whom else that hits.
    """
    repository = known_repository(row.container)
    # Always in this order, so that nobody waits for each other: repository, damages, backups.
    Repository.objects.filter(pk=repository.pk).update(scrub_after=Now())
    for key, what in sorted(objects.items()):
        opened(repository, key, what).backups.add(row)
    _mark(row, sentence, operation)


def object_sentence(key: str) -> str:
    """What is wrong with an object that a backup needs and nobody has looked at closely."""
    return BAD_PACK if _is_pack(key) else UNKNOWN_BLOCKS


@dataclass(frozen=True)
class Settled:
    """What has become of the damages of a repository."""

    open: int
    healed: int
    backups_hit: int


def settle(
    repository: Repository, wrong: Mapping[str, str], hits: Collection[Hit], run: Run
) -> Settled:
    """Bring the rows of a repository up to date; in the caller's transaction.

    `wrong` has a sentence for every object that is damaged or gone, `hits` the backups that cannot
    be restored in full. A damaged pack that hits none is as good as whole.
    """
    hit_by: dict[str, list[UUID]] = {}
    for hit in hits:
        for key in hit.keys:
            hit_by.setdefault(key, []).append(UUID(hit.ref.backup_id))
    ill = {key: what for key, what in wrong.items() if key in hit_by or not _is_pack(key)}
    for key in hit_by.keys() - ill.keys():
        ill[key] = wrong.get(key) or (MISSING_PACK if _is_pack(key) else UNKNOWN_BLOCKS)
    known = set(repository.damages.values_list("key", flat=True))
    for key, what in sorted(ill.items()):
        opened(repository, key, what).backups.set(_known_backups(repository, hit_by.get(key, [])))
    for key in wrong.keys() - ill.keys() - known:
        # Nobody is hurt, but that a disk forgets is worth knowing.
        Damage.objects.create(repository=repository, key=key, sentence=wrong[key], healed_at=Now())
    healed = 0
    for damage in open_damages(repository):
        if damage.key not in ill:
            damage.backups.clear()
            healed += Damage.objects.filter(pk=damage.pk).update(healed_at=Now())
    _mark_all(repository, hits, run.operation)
    began_at = Operation.objects.values_list("created_at", flat=True).get(pk=run.operation.pk)
    new = repository.damages.filter(key__in=ill, created_at__gte=began_at).count()
    if new and not run.notes.get("told"):
        run.notes["told"] = True
        tell(
            run.operation,
            Code.DAMAGED,
            f"{SENTENCES[Code.DAMAGED]} {repository.name}: {_counted(new, 'object')} "
            f"damaged or missing; {_counted(len(hits), 'backup')} hit.",
            level="WARNING",
        )
    return Settled(open=len(ill), healed=healed, backups_hit=len(hits))


def _mark_all(repository: Repository, hits: Iterable[Hit], operation: Operation) -> None:
    hit_refs = {UUID(hit.ref.backup_id): hit for hit in hits}
    for row in _known_backups(repository, hit_refs):
        hit = hit_refs[row.pk]
        bad = no_bad_ranges()
        add_bad_ranges(bad, hit.extents)
        # Without a range, it is the manifest that cannot be read.
        _mark(row, sentence_of(bad) if hit.extents else "All of it is lost.", operation)
    ill = Backup.objects.filter(container=repository.name, verification="damaged")
    ill.filter(~Exists(HIT)).update(verification="", verification_detail=HEALED, verified_at=None)


def _mark(row: Backup, sentence: str, operation: Operation) -> None:
    """Mark a backup as damaged, and tell its project once."""
    Backup.objects.filter(pk=row.pk).update(
        verified_at=Now(), verification="damaged", verification_detail=sentence
    )
    if row.verification != "damaged":
        tell(
            operation,
            Code.DAMAGED,
            f"{SENTENCES[Code.DAMAGED]} {sentence}",
            level="WARNING",
            about=(row.flow.resource, row.pk),
            project_id=row.project_id,
        )


def opened(repository: Repository, key: str, sentence: str) -> Damage:
    """The row of a damaged object, which is open."""
    damage, _ = Damage.objects.update_or_create(
        repository=repository, key=key, defaults={"sentence": sentence, "healed_at": None}
    )
    return damage


def _known_backups(repository: Repository, ids: Iterable[UUID]) -> list[Backup]:
    """Those that have a row: the repository may have others, too."""
    wanted = list(ids)
    rows = Backup.objects.filter(container=repository.name)
    return [
        row
        for at in range(0, len(wanted), AT_ONCE)
        for row in rows.filter(pk__in=wanted[at : at + AT_ONCE])
    ]


def _is_pack(key: str) -> bool:
    return key.startswith("packs/")


def _counted(count: int, what: str) -> str:
    return f"1 {what} is" if count == 1 else f"{count:,} {what}s are"
