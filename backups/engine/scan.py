"""Scanning: what a repository tells of itself when nothing else is left.

Manifests tell of every backup; footers of packs tell where every block is.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from backups.engine.format import id_in_key
from backups.engine.manifest import BackupRef, Manifest, ref_in_key
from backups.engine.packs import pack_id_of, read_footer
from backups.engine.repository import Repository
from backups.engine.shard import Shard, build_shard, merged_records, record_of
from drivers.errors import DriverError, Reason

RUN_RECORDS = 1 << 17


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A backup whose manifest is there and cannot be read."""

    ref: BackupRef
    error: DriverError


def scan(repository: Repository) -> Iterator[Manifest | Unreadable]:
    """Every backup in the repository, with the metadata it was made with. What else lies there,
    under no name of a backup, is passed over; `verify_records` tells of it."""
    for stored in repository.driver.list_objects("backups/"):
        try:
            ref = ref_in_key(stored.key)
        except DriverError:
            continue
        try:
            yield repository.read_manifest(ref)
        except DriverError as error:
            if error.code == Reason.corrupt:
                yield Unreadable(ref, error)
            elif error.code != Reason.not_found:  # deleted just now
                raise


@dataclass(frozen=True, slots=True)
class RebuildResult:
    """What an index was made of."""

    packs: int
    blocks: int
    unreadable: list[DriverError]  # of packs that are damaged: what only they hold is not found


def rebuild_index(
    repository: Repository, *, tick: Callable[[], None] = lambda: None
) -> RebuildResult:
    """Make the index anew from the footers of all packs. Needs no key.

    Backups may go on meanwhile: what they publish stays.
    """
    # Before the packs: a shard of now names only packs that are there by now.
    replaced = repository.index.stored_shards()
    packs, unreadable, runs, records = 0, list[DriverError](), list[Shard](), list[bytes]()
    with TemporaryDirectory(dir=repository.index.folder(), prefix="rebuild.") as folder:

        def end_run() -> None:
            path = Path(folder) / os.urandom(8).hex()
            runs.append(build_shard(path, sorted(records), len(records)))
            records.clear()

        for stored in repository.driver.list_objects("packs/"):
            tick()
            try:
                footer = read_footer(repository.driver, pack_id_of(stored), stored.size_bytes)
            except DriverError as error:
                if error.code == Reason.corrupt:
                    unreadable.append(error)
                elif error.code != Reason.not_found:  # collected just now
                    raise
                continue
            packs += 1
            records += (record_of(entry.digest, entry.place) for entry in footer.entries)
            if len(records) >= RUN_RECORDS:
                end_run()
        end_run()
        blocks = sum(run.entries for run in runs)
        repository.index.replace(replaced, merged_records(runs), blocks)
    return RebuildResult(packs, blocks, unreadable)


def index_lacks_something(repository: Repository) -> bool:
    """Whether the index is damaged, or does not name a pack that is there; so a new one may know
    more."""
    try:
        repository.index.refresh()
    except DriverError as error:
        if error.code != Reason.corrupt:
            raise
        return True
    named = repository.index.pack_ids
    return any(
        id_in_key(each.key) not in named for each in repository.driver.list_objects("packs/")
    )
