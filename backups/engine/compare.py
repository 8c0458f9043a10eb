"""Comparing a volume with a backup, by the digests of the backup's map."""

from collections.abc import Callable, Iterator

from backups.engine.format import DIGEST_BYTES, NULL_DIGEST, PAGE_BLOCKS, PAGE_BYTES
from backups.engine.frames import FrameReader, digest_of
from backups.engine.manifest import Manifest
from backups.engine.repository import Repository
from backups.engine.runs import (
    Run,
    block_count,
    cut,
    extents_of_runs,
    intersection,
    joined,
    runs_of_extents,
)
from backups.engine.spans import SPAN_BLOCKS, Span
from drivers.errors import DriverError, Reason
from drivers.volume.base import Extent, VolumeReader


def differing_extents(
    repository: Repository,
    manifest: Manifest,
    reader: VolumeReader,
    *,
    pages: range,
    tick: Callable[[], None] = lambda: None,
) -> list[Extent]:
    """Where the volume does not hold what these pages of the backup say. All of a page counts that
    cannot be read."""
    differing = joined(_differing(repository, manifest, reader, pages, tick))
    return extents_of_runs(differing, manifest.size_bytes)


def _differing(
    repository: Repository,
    manifest: Manifest,
    reader: VolumeReader,
    pages: range,
    tick: Callable[[], None],
) -> Iterator[Run]:
    frames, span = FrameReader(), Span()
    digest_key = repository.keys.digest_key(manifest.project_id)
    blocks = block_count(manifest.size_bytes)
    wanted = (pages.start * PAGE_BLOCKS, min(pages.stop * PAGE_BLOCKS, blocks))
    data = runs_of_extents(reader.data_extents(), manifest.size_bytes)
    reads = cut(intersection(data, [wanted]), SPAN_BLOCKS)
    read = next(reads, None)
    for number in pages:
        tick()
        start = number * PAGE_BLOCKS
        expected = _page(repository, manifest, number, frames)
        found = bytearray(PAGE_BYTES)
        while read and read[0] < start + PAGE_BLOCKS:
            first, end = read
            span.read(reader, first, end)
            for block in range(first, end):
                plain = span.block(block - first)
                digest = NULL_DIGEST if plain is None else digest_of(plain, digest_key)
                place = (block - start) * DIGEST_BYTES
                found[place : place + DIGEST_BYTES] = digest
            read = next(reads, None)
        if expected is None:
            yield start, start + PAGE_BLOCKS
            continue
        if found == expected:
            continue
        for block in range(PAGE_BLOCKS):
            digest = expected[block * DIGEST_BYTES : (block + 1) * DIGEST_BYTES]
            if not found.startswith(digest, block * DIGEST_BYTES):
                yield start + block, start + block + 1


def _page(
    repository: Repository, manifest: Manifest, number: int, frames: FrameReader
) -> bytes | None:
    try:
        return repository.read_page(manifest.pages[number], manifest.project_id, frames)
    except DriverError as error:
        if error.code != Reason.corrupt:
            raise
        return None
