"""Memory: bounded whatever the size of the volume. Measured in processes that do nothing else."""

import json
import subprocess
import sys
from pathlib import Path

SPARSE_TEBIBYTE = """
import json, random, resource, sys, tempfile, uuid
from pathlib import Path
from backups.engine.backup import backup
from backups.engine.repository import create_repository
from backups.engine.restore import restore
from backups.engine.sessions import MemorySessions
from backups.engine.hits import verify_map
from drivers.repository.directory import DirectoryRepository
from drivers.repository.memory import MemoryRepository
from drivers.volume.base import Extent, VolumeWriter

KIB, MIB, TIB = 1 << 10, 1 << 20, 1 << 40
EVERY = 8192 * KIB  # 64 KiB of data in each 8 MiB: 8 GiB in all


class Sparse(VolumeWriter):
    size_bytes = TIB
    wrong = 0

    def read_into(self, buffer, offset):
        for start in range(0, len(buffer), 64 * KIB):
            buffer[start : start + 64 * KIB] = self.block(offset + start)

    def block(self, offset):
        return (offset.to_bytes(8, "big") + b"some data") * 3855 + b"x"

    def data_extents(self):
        for offset in range(0, TIB, EVERY):
            yield Extent(offset, 64 * KIB)

    def write(self, offset, data):
        self.wrong += bytes(data) != self.block(offset)

    def write_zeros(self, offset, length): ...
    def flush(self): ...
    def close(self): ...


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KIB


assert len(Sparse().block(0)) == 64 * KIB
folder = Path(sys.argv[1])
driver = DirectoryRepository(DirectoryRepository.Options(path=folder / "r"), name="r", home=folder)
driver.check()
repository = create_repository(driver, [], cache=folder / "cache")
before = peak_mib()
manifest = backup(
    repository, Sparse(), backup_id=str(uuid.uuid4()), volume_id=str(uuid.uuid4()),
    project_id="p", session=MemorySessions().begin(), threads=4,
).manifest
after_backup = peak_mib()
target = Sparse()
assert restore(repository, manifest, target, target_is_blank=True) == []
assert verify_map(repository, manifest) == []
after_restore = peak_mib()


# Each block is different and none can be compressed, so that packs are full.
class Full(Sparse):
    size_bytes = 512 * MIB
    noise = random.Random(1).randbytes(64 * KIB - 8)

    def block(self, offset):
        return offset.to_bytes(8, "big") + self.noise

    def data_extents(self):
        yield Extent(0, self.size_bytes)


class Forgetful(MemoryRepository):
    def put(self, key, parts):
        if not key.startswith("packs/"):
            super().put(key, parts)


driver = Forgetful(Forgetful.Options(), name="f", home=folder)
repository = create_repository(driver, [], cache=folder / "other")
backup(
    repository, Full(), backup_id=str(uuid.uuid4()), volume_id=str(uuid.uuid4()),
    project_id="p", session=MemorySessions().begin(), threads=4,
)
print(json.dumps({"before": before, "backup": after_backup, "restore": after_restore,
                  "full": peak_mib(), "wrong": target.wrong, "read": manifest.read_bytes}))
"""

# A sixteenth of the blocks of a full TiB: the index grows with them, and nothing else does.
BLOCKS = 1 << 20
LARGE_INDEX = """
import hashlib, json, resource, sys
from pathlib import Path
from backups.engine.frames import Location
from backups.engine.shard import build_shard, record_of, require_whole, Shard

BLOCKS = int(sys.argv[2])
path = Path(sys.argv[1]) / "shard"


def records():
    for number in range(BLOCKS):
        prefix = (number * ((1 << 128) // BLOCKS)).to_bytes(16, "big")
        yield record_of(prefix, Location((number // 256).to_bytes(16, "big"), 64, 40000, False))


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


before = peak_mib()
build_shard(path, records(), BLOCKS)
require_whole(path)
shard = Shard(path)
built = peak_mib()
for number in range(0, BLOCKS, BLOCKS // 1000):
    prefix = (number * ((1 << 128) // BLOCKS)).to_bytes(16, "big")
    (place,) = shard.find(prefix)
    assert place.pack_id == (number // 256).to_bytes(16, "big")
print(json.dumps({"grew": built - before, "bytes": path.stat().st_size}))
"""


def run(script: str, *arguments: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_a_sparse_tebibyte_with_8_gib_of_data(tmp_path: Path) -> None:
    measured = run(SPARSE_TEBIBYTE, str(tmp_path))
    assert measured["wrong"] == 0
    assert measured["read"] == 8 << 30
    # A worker has 80 to 100 MiB of its own besides; all must stay below 200.
    assert measured["restore"] - measured["before"] <= 60, measured
    assert measured["full"] - measured["before"] <= 120, measured


def test_the_index_of_a_full_tebibyte_is_mapped_and_small(tmp_path: Path) -> None:
    measured = run(LARGE_INDEX, str(tmp_path), str(BLOCKS))
    assert measured["bytes"] * 16 <= 512 << 20
    assert measured["grew"] <= 40, measured
