import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from drivers.errors import DriverError, Reason
from drivers.repository.directory import DirectoryRepository
from drivers.units import KIB, MIB
from tests.contracts.repository_driver import RepositoryContract, keys_of, refused
from tests.drivers.volume.disks import mounted_disk


def directory_repository(folder: Path, **options) -> DirectoryRepository:
    repository = DirectoryRepository(
        DirectoryRepository.Options(path=folder, **options), name="backups", home=Path("/")
    )
    repository.check()
    return repository


def drafts_of(repository: DirectoryRepository) -> list[Path]:
    return list(repository.drafts.iterdir())


def fill(ballast: Path) -> None:
    """Write a file until the disk is full."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.fixture
def repository(tmp_path):
    return directory_repository(tmp_path / "backups")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 MiB, to be filled up."""
    with mounted_disk("ext4", tmp_path) as mount_point:
        yield mount_point


class TestDirectoryRepository(RepositoryContract):
    @pytest.fixture
    def repository(self, tmp_path):
        repository = directory_repository(tmp_path)
        yield repository
        assert drafts_of(repository) == []

    @pytest.fixture
    def full_repository(self, small_disk):
        repository = directory_repository(small_disk, require_mount=True, min_free_mib=0)
        fill(small_disk / "ballast")
        yield repository
        assert drafts_of(repository) == []


# The folder


def test_a_relative_path_starts_at_home(tmp_path):
    repository = DirectoryRepository(
        DirectoryRepository.Options(path=Path("offsite/backups")), name="backups", home=tmp_path
    )
    repository.check()
    repository.put("packs/0b/one", [b"x"])
    assert (tmp_path / "offsite/backups/packs/0b/one").read_bytes() == b"x"


def test_files_are_for_their_owner_only(repository):
    repository.put("packs/0b/one", [b"x"])
    assert (repository.path / "packs/0b/one").stat().st_mode & 0o777 == 0o600
    for folder in (repository.path, repository.drafts, repository.path / "packs/0b"):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_what_is_not_ours_is_not_listed(repository):
    repository.put("packs/0b/one", [b"x"])
    (repository.path / "lost+found").mkdir()
    (repository.path / ".snapshot").mkdir()
    (repository.path / "packs/.nfs0001").write_bytes(b"x")
    (repository.path / "packs/link").symlink_to("/etc/passwd")
    os.mkfifo(repository.path / "packs/fifo")
    assert keys_of(repository) == ["packs/0b/one"]


ACTS = {
    "put": lambda repository: repository.put("packs/0b/two", [b"x"]),
    "put_new": lambda repository: repository.put_new("packs/0b/two", [b"x"]),
    "get": lambda repository: repository.get("packs/0b/one"),
    "get_range": lambda repository: repository.get_range("packs/0b/one", 0, 1),
    "list": keys_of,
    "delete": lambda repository: repository.delete(["packs/0b/one"]),
    "stats": lambda repository: repository.stats(),
}


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("is_empty_folder_there", [False, True])
def test_while_the_folder_is_away_nothing_passes_for_done(repository, act, is_empty_folder_there):
    """A delete above all: the object is not gone, it is out of sight."""
    repository.path.rename(repository.path.with_name("away"))
    if is_empty_folder_there:
        repository.path.mkdir()
    with refused(Reason.unavailable):
        ACTS[act](repository)
    assert not is_empty_folder_there or list(repository.path.iterdir()) == []


@pytest.mark.parametrize("act", ["check", *ACTS])
def test_while_the_disk_is_not_mounted_nothing_is_touched(tmp_path, act):
    options = DirectoryRepository.Options(path=tmp_path, require_mount=True)
    repository = DirectoryRepository(options, name="backups", home=Path("/"))
    with refused(Reason.unavailable) as caught:
        ACTS.get(act, DirectoryRepository.check)(repository)
    assert "not mounted" in caught.value.sentence
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("act", ["check", "put", "put_new", "delete"])
def test_a_folder_that_is_read_only(small_disk, act):
    repository = directory_repository(small_disk, min_free_mib=0)
    repository.put("packs/0b/one", [b"x"])
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with refused(Reason.unavailable) as caught:
        ACTS.get(act, DirectoryRepository.check)(repository)
    assert "read-only" in caught.value.sentence
    assert repository.get("packs/0b/one") == b"x"
    assert keys_of(repository) == ["packs/0b/one"]


def test_no_link_leads_out_of_the_repository(repository, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "one").write_bytes(b"secret")
    repository.put("packs/0b/one", [b"x"])
    (repository.path / "packs/aa").symlink_to(outside)
    (repository.path / "packs/0b/link").symlink_to(outside / "one")
    for act in (
        lambda: repository.get("packs/aa/one"),
        lambda: repository.put("packs/aa/two", [b"x"]),
        lambda: repository.put_new("packs/aa/two", [b"x"]),
        lambda: repository.delete(["packs/aa/one"]),
        lambda: repository.get("packs/0b/link"),
    ):
        with pytest.raises(DriverError):
            act()
    assert [each.name for each in outside.iterdir()] == ["one"]
    repository.delete(["packs/0b/link"])  # the link itself
    assert (outside / "one").read_bytes() == b"secret"


def test_folders_that_become_empty_go(repository):
    repository.put("backups/v/b", [b"x"])
    repository.put("packs/0b/one", [b"x"])
    repository.put("packs/0c/one", [b"x"])
    repository.delete(["backups/v/b", "packs/0b/one"])
    assert sorted(each.name for each in repository.path.iterdir()) == [".drafts", "packs"]
    assert [each.name for each in (repository.path / "packs").iterdir()] == ["0c"]


# Drafts and durability


def test_a_check_clears_old_drafts_away(repository):
    old, new = repository.drafts / "old", repository.drafts / "new"
    for draft, age_s in ((old, 25 * 3600), (new, 23 * 3600)):
        draft.write_bytes(b"x")
        os.utime(draft, (time.time() - age_s,) * 2)
    repository.check()
    assert drafts_of(repository) == [new]


def test_content_is_durable_before_it_has_a_name(repository, monkeypatch):
    """What a power cut leaves depends on this order, which no kill of a process can show."""
    events = []
    acts = {name: getattr(os, name) for name in ("fsync", "rename", "link", "unlink", "mkdir")}

    def name_of(descriptor: int) -> str:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        return "draft" if path.parent == repository.drafts else str(path)

    def spy(name):
        def act(*args, **kwargs):
            what = name_of(args[0]) if name == "fsync" else ""
            events.append(f"{name} {what.removeprefix(str(repository.path.parent))}".strip())
            return acts[name](*args, **kwargs)

        return act

    for name in acts:
        monkeypatch.setattr(os, name, spy(name))
    durable_folders = ["mkdir", "fsync /backups", "mkdir", "fsync /backups/packs"]
    repository.put("packs/0b/one", [b"x"])
    named = ["fsync draft", *durable_folders, "rename", "fsync /backups/packs/0b"]
    assert events[: len(named)] == named
    events.clear()
    assert repository.put_new("packs/0b/two", [b"x"])
    named[named.index("rename")] = "link"
    assert events[: len(named)] == named
    events.clear()
    # Whoever made what is there may have been killed before it was durable.
    assert not repository.put_new("packs/0b/two", [b"x"])
    assert events[: len(named)] == named
    events.clear()
    repository.delete(["packs/0b/one"])
    assert events == ["unlink", "fsync /backups/packs/0b"]


def test_a_killed_writer_leaves_nothing_that_counts(repository):
    """A process is killed again and again while it writes the same object and another one."""
    content = bytes(range(256)) * 4 * KIB
    for round_ in range(12):
        child = os.fork()
        if child == 0:
            try:
                while True:
                    repository.put("packs/0b/one", [content])
                    repository.put_new(f"packs/0b/{os.getpid()}", [content])
            finally:
                os._exit(1)
        time.sleep(0.005 * round_)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for each in repository.list_objects(""):
            assert repository.get(each.key) == content
        repository.check()
    assert len(keys_of(repository)) > 2


def test_nfs_may_say_of_our_own_name_that_it_is_taken(repository, monkeypatch):
    """The request is repeated when its reply is lost."""
    link = os.link

    def link_with_a_lost_reply(*args, **kwargs):
        link(*args, **kwargs)
        link(*args, **kwargs)

    monkeypatch.setattr(os, "link", link_with_a_lost_reply)
    assert repository.put_new("backups/v/b", [b"x"]) is True


# Space and memory


def test_some_space_is_kept_back(small_disk):
    repository = directory_repository(small_disk, min_free_mib=30)
    size = repository.stats().free_bytes - 32 * MIB
    repository.put("a", [bytes(size)])
    with refused(Reason.no_space):
        repository.put("b", [bytes(4 * MIB)])
    assert keys_of(repository) == ["a"]
    assert drafts_of(repository) == []
    repository.delete(["a"])
    repository.put("b", [bytes(4 * MIB)])


def cached_bytes(path: Path) -> int:
    """How much of a file the machine keeps in memory."""
    command = ["fincore", "--bytes", "--noheadings", "--output", "RES", path]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_large_objects_do_not_stay_in_memory(small_disk):
    """What a backup moves must not push out what the machine's own programs read."""
    repository = directory_repository(small_disk, min_free_mib=0)
    path = repository.path / "packs/0b/one"
    repository.put("packs/0b/one", [os.urandom(16 * MIB)])
    assert cached_bytes(path) == 0
    repository.get("packs/0b/one")
    assert cached_bytes(path) == 0
    for offset in range(0, 16 * MIB, MIB):
        repository.get_range("packs/0b/one", offset, MIB)
    assert cached_bytes(path) < MIB
