"""Runs of blocks: half-open pairs of block numbers, in order and without overlap."""

from collections.abc import Iterable, Iterator, Sequence

from backups.engine.format import BLOCK_BYTES
from drivers.volume.base import Extent

Run = tuple[int, int]


def block_count(size_bytes: int) -> int:
    return -(-size_bytes // BLOCK_BYTES)


def runs_of_extents(extents: Iterable[Extent], size_bytes: int) -> Iterator[Run]:
    """The blocks that extents, which come in order, touch, up to `size_bytes`."""

    def touched() -> Iterator[Run]:
        for extent in extents:
            end = min(extent.end, size_bytes)
            if extent.offset < end:
                yield extent.offset // BLOCK_BYTES, block_count(end)

    return joined(touched())


def shared_out(runs: Iterable[Run], most: int) -> Iterator[list[Run]]:
    """The runs, in shares of at most so many blocks; none of them is longer than that."""
    share, blocks = list[Run](), 0
    for start, end in runs:
        if share and blocks + end - start > most:
            yield share
            share, blocks = [], 0
        share.append((start, end))
        blocks += end - start
    if share:
        yield share


def joined(runs: Iterable[Run]) -> Iterator[Run]:
    """The same blocks, neighbours and overlaps as one run. They come ordered by their start."""
    start = end = -1
    for next_start, next_end in runs:
        if next_start <= end:
            end = max(end, next_end)
            continue
        if start < end:
            yield start, end
        start, end = next_start, next_end
    if start < end:
        yield start, end


def intersection(ones: Iterable[Run], others: Iterable[Run]) -> Iterator[Run]:
    """The blocks that are in both."""
    first, second = iter(ones), iter(others)
    one, other = next(first, None), next(second, None)
    while one and other:
        start, end = max(one[0], other[0]), min(one[1], other[1])
        if start < end:
            yield start, end
        if one[1] < other[1]:
            one = next(first, None)
        else:
            other = next(second, None)


def cut(runs: Iterable[Run], every: int) -> Iterator[Run]:
    """The same blocks in runs that no multiple of `every` divides."""
    for start, end in runs:
        at = start
        while at < end:
            until = min(end, (at // every + 1) * every)
            yield at, until
            at = until


def contains(runs: Sequence[Run], block: int) -> bool:
    """Whether one of the runs holds the block."""
    low, high = 0, len(runs)
    while low < high:
        middle = (low + high) // 2
        if runs[middle][1] <= block:
            low = middle + 1
        else:
            high = middle
    return low < len(runs) and runs[low][0] <= block


def extents_of_runs(runs: Iterable[Run], size_bytes: int) -> list[Extent]:
    """The runs as bytes, up to `size_bytes`."""
    return [
        Extent(start * BLOCK_BYTES, min(end * BLOCK_BYTES, size_bytes) - start * BLOCK_BYTES)
        for start, end in runs
    ]
