"""A volume that is a file, in a repository that is a folder: nothing simulated."""

import os
import random
from pathlib import Path
from uuid import uuid4

from backups.engine.backup import backup
from backups.engine.keys import Secret
from backups.engine.repository import create_repository, open_repository
from backups.engine.restore import restore
from backups.engine.scan import scan
from backups.engine.sessions import MemorySessions
from backups.engine.verify import Depth, verify_records
from drivers.repository.directory import DirectoryRepository
from drivers.units import KIB, MIB
from drivers.volume.base import Extent
from drivers.volume.raw_file import RawFileReader, RawFileWriter
from tests.backups.engine.vault import damages_in


def test_a_file_comes_back_with_its_holes(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    with source.open("wb") as file:
        for start in (0, 20, 40):
            file.seek(start * MIB)
            file.write(random.Random(start).randbytes(2 * MIB) + b"text" * MIB)
        for start in range(50 * MIB, 52 * MIB, 32 * KIB):  # pages far apart, two in each block
            file.seek(start)
            file.write(b"page" * KIB)
        file.truncate(60 * MIB + 4096)
    options = DirectoryRepository.Options(path=tmp_path / "repository")
    driver = DirectoryRepository(options, name="folder", home=tmp_path)
    driver.check()
    secret = Secret.passphrase("a passphrase")
    repository = create_repository(driver, [secret], cache=tmp_path / "cache")
    with RawFileReader(os.open(source, os.O_RDONLY)) as reader:
        result = backup(
            repository,
            reader,
            backup_id=str(uuid4()),
            volume_id=str(uuid4()),
            project_id="demo",
            session=MemorySessions().begin(),
            metadata={"name": "a volume", "size": 1},
        )
    assert result.manifest.read_bytes == 20 * MIB

    reopened = open_repository(driver, secret, cache=tmp_path / "another cache")
    assert list(scan(reopened)) == [result.manifest]
    assert verify_records(reopened) == damages_in(reopened, Depth.content) == []
    target.touch()
    os.truncate(target, source.stat().st_size)
    with RawFileWriter(os.open(target, os.O_RDWR), thin=True) as writer:
        restore(reopened, result.manifest, writer, target_is_blank=True)
    assert target.read_bytes() == source.read_bytes()
    assert data_of(target) == data_of(source)


def data_of(path: Path) -> list[Extent]:
    """Where a file is no hole."""
    with RawFileReader(os.open(path, os.O_RDONLY)) as reader:
        return list(reader.data_extents())
