"""A backup and a restore leave what the machine has in memory of files as it was."""

import ctypes
import mmap
import os
from pathlib import Path
from uuid import uuid4

import pytest

from backups.engine.backup import backup
from backups.engine.repository import create_repository
from backups.engine.restore import restore
from backups.engine.sessions import MemorySessions
from drivers import page_cache
from drivers.repository.directory import DirectoryRepository
from drivers.units import MIB
from drivers.volume.raw_file import RawFileReader, RawFileWriter

SIZE = 24 * MIB
PAGE = mmap.PAGESIZE
NO_SUCH_FLAG = 1 << 30  # to a kernel that does not know it, RWF_DONTCACHE is one
STILL_THERE = 0.9  # others on the machine may need a few pages meanwhile
libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(params=["by the kernel", "by ourselves"])
def page_cache_kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "by ourselves":
        monkeypatch.setattr(page_cache, "RWF_DONTCACHE", NO_SUCH_FLAG)


def pages_in_memory(path: Path) -> list[bool]:
    """Page by page, whether the kernel has it in memory."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        count = -(-len(mapped) // PAGE)
        found = (ctypes.c_ubyte * count)()
        start = ctypes.c_char.from_buffer(mapped)
        address = ctypes.c_void_p(ctypes.addressof(start))
        assert libc.mincore(address, ctypes.c_size_t(len(mapped)), found) == 0
        del start
        return [bool(page & 1) for page in found]


def keep_in_memory(path: Path, offset: int = 0, length: int = 0) -> None:
    """Have exactly these bytes of a file in memory."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    page_cache.drop(descriptor, 0, 0)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    os.pread(descriptor, length, offset)
    os.close(descriptor)


def test_a_backup_and_a_restore_leave_it_alone(page_cache_kept: None, tmp_path: Path) -> None:
    volume, restored = tmp_path / "volume", tmp_path / "restored"
    content = os.urandom(SIZE)
    volume.write_bytes(content)
    keep_in_memory(volume, 2 * MIB, 3 * MIB)
    before = pages_in_memory(volume)
    assert before.count(True) == 3 * MIB // PAGE

    driver = DirectoryRepository(
        DirectoryRepository.Options(path=Path("repository")), name="main", home=tmp_path
    )
    driver.check()
    repository = create_repository(driver, [], cache=tmp_path / "cache")
    with RawFileReader(os.open(volume, os.O_RDONLY)) as reader:
        manifest = backup(
            repository,
            reader,
            backup_id=str(uuid4()),
            volume_id=str(uuid4()),
            project_id="demo",
            session=MemorySessions().begin(),
        ).manifest
    after = pages_in_memory(volume)
    assert not any(now and not earlier for now, earlier in zip(after, before, strict=True))
    assert after.count(True) >= STILL_THERE * before.count(True)
    packs = [*(driver.path / "packs").rglob("*/*")]
    assert len(packs) > 1
    assert not any(any(pages_in_memory(pack)) for pack in packs)

    keep_in_memory(packs[0], 0, packs[0].stat().st_size)
    restored.touch()
    os.truncate(restored, SIZE)
    with RawFileWriter(os.open(restored, os.O_RDWR), thin=True) as writer:
        restore(repository, manifest, writer, target_is_blank=True)
    assert restored.read_bytes() == content
    pages = pages_in_memory(packs[0])
    assert pages.count(True) >= STILL_THERE * len(pages)
    assert not any(any(pages_in_memory(pack)) for pack in packs[1:])
