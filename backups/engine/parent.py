"""Parents: what an earlier backup of a volume says of it, and how far that is believed."""

import random
from collections.abc import Iterator, Sequence

from backups.engine.format import NULL_DIGEST, PAGE_BLOCKS
from backups.engine.frames import FrameReader, digest_of
from backups.engine.manifest import BackupRef, Manifest, digests_in
from backups.engine.repository import Repository
from backups.engine.runs import Run, block_count, contains
from backups.engine.spans import Span
from backups.engine.storing import Storing
from drivers.errors import DriverError, Reason
from drivers.volume.base import VolumeReader

SAMPLED_PAGES, SAMPLED_BLOCKS, SAMPLED_ANYWHERE = 16, 8, 16


def find_parent(repository: Repository, ref: BackupRef | None, project_id: str) -> Manifest | None:
    """The backup's manifest; None when there is none, or it says nothing about this project."""
    if ref is None:
        return None
    try:
        parent = repository.read_manifest(ref)
    except DriverError as error:
        if error.code != Reason.not_found:
            raise
        return None
    # Digests of another project, as before a transfer, are of another key.
    return parent if parent.project_id == project_id else None


def differs_in_sample(
    repository: Repository, parent: Manifest, reader: VolumeReader, changed: Sequence[Run]
) -> bool:
    """Whether, of some blocks that should be as they were in the parent, one is not."""
    dice, frames, span = random.SystemRandom(), FrameReader(), Span()
    digest_key = repository.keys.digest_key(parent.project_id)
    blocks = block_count(reader.size_bytes)
    anywhere = [dice.randrange(blocks) for _ in range(SAMPLED_ANYWHERE if blocks else 0)]
    with_data = [number for number, digest in enumerate(parent.pages) if digest != NULL_DIGEST]
    numbers = dice.sample(with_data, min(SAMPLED_PAGES, len(with_data)))
    for number in sorted({*numbers, *(block // PAGE_BLOCKS for block in anywhere)}):
        page_digest = parent.pages[number] if number < len(parent.pages) else NULL_DIGEST
        digests = list(digests_in(repository.read_page(page_digest, parent.project_id, frames)))
        first = number * PAGE_BLOCKS
        used = [first + at for at, digest in enumerate(digests) if digest != NULL_DIGEST]
        chosen = {block for block in anywhere if block // PAGE_BLOCKS == number}
        chosen.update(dice.sample(used, min(SAMPLED_BLOCKS, len(used))))
        for block in sorted(chosen):
            if contains(changed, block):
                continue
            span.read(reader, block, block + 1)
            plain = span.block(0)
            found = NULL_DIGEST if plain is None else digest_of(plain, digest_key)
            if found != digests[block - first]:
                return True
    return False


def missing_blocks(repository: Repository, storing: Storing, manifest: Manifest) -> Iterator[Run]:
    """The blocks of a map that cannot be relied upon, all of a page when the page cannot."""
    frames = FrameReader()
    for number, page_digest in enumerate(manifest.pages):
        first = number * PAGE_BLOCKS
        if page_digest == NULL_DIGEST:
            continue
        if storing.find(page_digest) is None:
            yield first, first + PAGE_BLOCKS
            continue
        page = repository.read_page(page_digest, manifest.project_id, frames)
        for place, digest in enumerate(digests_in(page)):
            if digest != NULL_DIGEST and storing.find(digest) is None:
                yield first + place, first + place + 1
