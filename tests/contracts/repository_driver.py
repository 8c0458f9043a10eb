"""The promises of `drivers.repository.base`, as tests. See docs/drivers.md for how to run them.

A driver's test module subclasses `RepositoryContract` and supplies two fixtures.
"""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from drivers.errors import DriverError, Reason
from drivers.repository.base import RepositoryDriver
from drivers.units import KIB, MIB

WRONG_KEYS = [
    "",
    "/",
    "/config",
    "packs/",
    "packs//a",
    ".",
    "..",
    "../config",
    "packs/../../etc/passwd",
    "packs/.hidden",
    ".drafts/a",
    "packs/a b",
    "packs/ä",
    "packs/a\n",
    "packs/a\0b",
    "packs\\a",
    "a" * 201,
]


def keys_of(repository: RepositoryDriver, prefix: str = "") -> list[str]:
    return [each.key for each in repository.list_objects(prefix)]


@contextmanager
def refused(
    code: Reason, *, retryable: bool = False
) -> Iterator[pytest.ExceptionInfo[DriverError]]:
    """The act inside fails for this reason, in a sentence that shows nothing of the inside."""
    with pytest.raises(DriverError) as caught:
        yield caught
    error = caught.value
    assert (error.code, error.retryable) == (code, retryable), repr(error)
    assert error.sentence.endswith(".")
    assert "/" not in error.sentence


class RepositoryContract:
    """Every test gets a repository of its own."""

    @pytest.fixture
    def repository(self) -> RepositoryDriver:
        """Checked and empty."""
        raise NotImplementedError

    @pytest.fixture
    def full_repository(self) -> RepositoryDriver:
        """Checked, and without room for a MiB."""
        raise NotImplementedError

    # Objects

    def test_what_is_put_is_got(self, repository):
        repository.put("config", [b"hello"])
        assert repository.get("config") == b"hello"
        assert isinstance(repository.get("config"), bytes)

    def test_parts_follow_each_other(self, repository):
        parts = [b"ab", bytearray(b"cd"), b"", memoryview(b"xefx")[1:3]]
        repository.put("packs/0a/one", parts)
        assert repository.get("packs/0a/one") == b"abcdef"
        assert repository.put_new("packs/0a/two", parts)
        assert repository.get("packs/0a/two") == b"abcdef"

    def test_an_object_may_be_empty(self, repository):
        for parts in ([], [b""]):
            repository.put("empty", parts)
            assert repository.get("empty") == b""
            assert repository.get_range("empty", 0, 0) == b""
            assert [each.size_bytes for each in repository.list_objects("")] == [0]

    def test_a_large_object_of_many_parts(self, repository):
        rng = random.Random(1)
        parts = [rng.randbytes(rng.randrange(1, 32 * KIB)) for _ in range(2000)]
        whole = b"".join(parts)
        repository.put("packs/00/large", parts)
        assert repository.get("packs/00/large") == whole
        assert (
            repository.get_range("packs/00/large", 10 * MIB + 1, 3 * MIB)
            == (whole[10 * MIB + 1 : 13 * MIB + 1])
        )

    def test_ranges(self, repository):
        content = random.Random(2).randbytes(300 * KIB)
        repository.put("packs/00/one", [content])
        size = len(content)
        for offset, length in [(0, 1), (0, size), (size - 1, 1), (4095, 4098), (7, 0), (size, 0)]:
            read = repository.get_range("packs/00/one", offset, length)
            assert read == content[offset : offset + length]
            assert isinstance(read, bytes | bytearray)

    def test_a_range_past_the_end_is_damage(self, repository):
        repository.put("packs/00/one", [bytes(1000)])
        for offset, length in [(0, 1001), (999, 2), (1000, 1), (5000, 10)]:
            with refused(Reason.corrupt):
                repository.get_range("packs/00/one", offset, length)

    def test_a_range_that_makes_no_sense_is_refused(self, repository):
        repository.put("config", [b"hello"])
        for offset, length in [(-1, 2), (0, -1)]:
            with refused(Reason.invalid):
                repository.get_range("config", offset, length)

    def test_what_is_not_there_is_not_found(self, repository):
        repository.put("packs/00/one", [b"1"])
        for key in ("config", "packs/00/two", "packs/ff/one"):
            with refused(Reason.not_found):
                repository.get(key)
            for length in (0, 1):
                with refused(Reason.not_found):
                    repository.get_range(key, 0, length)

    def test_putting_again_is_fine(self, repository):
        for _ in range(2):
            repository.put("packs/00/one", [b"same"])
        assert repository.get("packs/00/one") == b"same"
        assert keys_of(repository) == ["packs/00/one"]

    def test_a_new_object_never_replaces_one(self, repository):
        assert repository.put_new("backups/v/b", [b"first"]) is True
        for content in (b"first", b"second"):
            assert repository.put_new("backups/v/b", [content]) is False
        repository.put("packs/00/one", [b"first"])
        assert repository.put_new("packs/00/one", [b"second"]) is False
        assert repository.get("backups/v/b") == repository.get("packs/00/one") == b"first"
        repository.delete(["backups/v/b"])
        assert repository.put_new("backups/v/b", [b"second"]) is True
        assert repository.get("backups/v/b") == b"second"

    def test_keys_of_every_allowed_form(self, repository):
        keys = [
            "a" * 200,
            "/".join("a" * 100),
            "-",
            "_",
            "A.b-C_9/x..y/0.",
            "tombstones/12/" + "0" * 64,
        ]
        for key in keys:
            repository.put(key, [key.encode()])
            assert repository.get(key) == repository.get_range(key, 0, len(key)) == key.encode()
        assert keys_of(repository) == sorted(keys)
        repository.delete(keys)
        assert keys_of(repository) == []

    def test_other_keys_are_refused(self, repository):
        acts = [
            lambda key: repository.put(key, [b"x"]),
            lambda key: repository.put_new(key, [b"x"]),
            repository.get,
            lambda key: repository.get_range(key, 0, 1),
            lambda key: repository.delete([key]),
        ]
        for act, key in product(acts, WRONG_KEYS):
            with refused(Reason.invalid):
                act(key)
        assert keys_of(repository) == []

    # Lists

    def test_a_list_is_ordered_and_complete(self, repository):
        rng = random.Random(3)
        sizes = {f"packs/{rng.randrange(16):02x}/{rng.randbytes(8).hex()}": n for n in range(60)}
        sizes |= {"config": 3, "index/a.b": 1, "index/a-b": 1, "index/a/b": 1, "index/a0": 1}
        for key, size in sizes.items():
            repository.put(key, [bytes(size)])
        listed = list(repository.list_objects(""))
        assert [(each.key, each.size_bytes) for each in listed] == sorted(sizes.items())
        for each in listed:
            assert abs(datetime.now(UTC) - each.stored_at) < timedelta(minutes=5)

    def test_a_list_of_a_prefix(self, repository):
        for key in ("packs/00/a", "packs/00/b", "packs/01/c", "packs0/00/d", "packs-", "backups/e"):
            repository.put(key, [b"x"])
        assert keys_of(repository, "packs/") == ["packs/00/a", "packs/00/b", "packs/01/c"]
        assert keys_of(repository, "packs/00/") == ["packs/00/a", "packs/00/b"]
        assert keys_of(repository, "index/") == []
        assert keys_of(repository, "pack/") == []

    def test_other_prefixes_are_refused(self, repository):
        for prefix in ("packs", "/", "../", "packs/.x/", "packs//"):
            with refused(Reason.invalid):
                keys_of(repository, prefix)

    def test_a_list_of_more_than_one_page(self, repository):
        keys = [f"index/{index:04}" for index in range(1100)]
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda key: repository.put(key, [b"x"]), keys))
        assert keys_of(repository, "index/") == keys
        repository.delete(keys)
        assert keys_of(repository) == []

    def test_deleting_while_listing(self, repository):
        for index in range(30):
            repository.put(f"packs/{index:02}/a", [b"x"])
        for each in repository.list_objects("packs/"):
            repository.delete([each.key])
        assert keys_of(repository) == []

    # Deleting

    def test_delete(self, repository):
        for key in ("packs/00/a", "packs/00/b", "packs/01/c", "config"):
            repository.put(key, [b"x"])
        repository.delete(iter(["packs/00/a", "packs/01/c", "packs/01/c", "packs/77/none", "none"]))
        assert keys_of(repository) == ["config", "packs/00/b"]
        with refused(Reason.not_found):
            repository.get("packs/00/a")
        repository.delete(["packs/00/a"])
        repository.delete([])
        assert keys_of(repository) == ["config", "packs/00/b"]

    # Many at once

    def test_of_many_creators_one_succeeds(self, repository):
        for round_ in range(8):
            key, start = f"backups/{round_}/b", threading.Barrier(8)

            def create(number: int, key: str = key, start: threading.Barrier = start) -> bool:
                start.wait()
                return repository.put_new(key, [b"%d" % number * 5000])

            with ThreadPoolExecutor(8) as threads:
                created = list(threads.map(create, range(8)))
            # A store may be unable to see to it; it then says so, and no caller relies on it.
            assert created.count(True) == 1 or (any(created) and not repository.creates_once)
            stored = repository.get(key)
            assert created[int(stored[:1])]
            assert stored == stored[:1] * 5000

    def test_a_reader_never_sees_a_part(self, repository):
        """Threads put the same objects again and again, others read, list and delete them."""
        contents = {f"packs/{n:02}/a": random.Random(n).randbytes(200 * KIB) for n in range(4)}
        done = threading.Event()

        def write(seed: int) -> None:
            rng = random.Random(seed)
            for _ in range(12):
                key = rng.choice(list(contents))
                repository.put(key, [contents[key][:1000], contents[key][1000:]])
                if rng.random() < 0.3:
                    repository.delete([key])

        def get(key: str) -> bytes | None:
            try:
                return repository.get(key)
            except DriverError as error:
                if error.code == Reason.not_found:
                    return None
                raise

        def read() -> int:
            found = 0
            while not done.is_set():
                for key, content in contents.items():
                    got = get(key)
                    assert got in (None, content)
                    found += got is not None
                for each in repository.list_objects("packs/"):
                    assert each.size_bytes == len(contents[each.key])
            return found

        with ThreadPoolExecutor(5) as threads:
            reader = threads.submit(read)
            try:
                for writer in [threads.submit(write, seed) for seed in range(4)]:
                    writer.result()
            finally:
                done.set()
            assert reader.result() > 0

    # The repository

    def test_a_check_leaves_everything_as_it_was(self, repository):
        repository.put("config", [b"x"])
        for _ in range(2):
            repository.check()
        assert keys_of(repository) == ["config"]

    def test_stats(self, repository):
        stats = repository.stats()
        if stats.free_bytes is not None:
            assert stats.total_bytes is not None
            assert 0 <= stats.free_bytes <= stats.total_bytes

    def test_a_full_repository_says_so_and_keeps_nothing(self, full_repository):
        before = keys_of(full_repository)
        for put in (full_repository.put, full_repository.put_new):
            with refused(Reason.no_space):
                put("packs/00/large", [bytes(MIB)])
        with refused(Reason.not_found):
            full_repository.get("packs/00/large")
        assert keys_of(full_repository) == before
        full_repository.delete(["packs/00/large", *before])
        assert keys_of(full_repository) == []
