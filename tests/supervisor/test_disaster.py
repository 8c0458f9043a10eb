"""With the database gone, a repository and its key are enough: as docs/operating.md says it."""

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blake3 import blake3

from drivers.units import KIB, MIB
from storage_project.supervisor.clouds import Account
from storage_project.tour.client import Client
from tests.stack import wait_until
from tests.supervisor.running import MANAGE, Up, own_database

CONFIGURATION = """
[backends.fast]
driver = "file"
path = "backends/fast"

[repositories.main]
driver = "directory"
path = "backups"
key_file = "main.key"
"""


@contextmanager
def running(home: Path, database: dict[str, str]) -> Iterator[tuple[Client, Up]]:
    """An `up` whose workers have told of themselves, and the user `demo` of it."""
    up = Up(home, **database)
    try:
        up.wait_until_up()
        admin, demo = (
            Client(up.url, Account(name=name, password=up.cloud(name)["password"], role=""))
            for name in ("admin", "demo")
        )
        wait_until(lambda: bool(admin.get("/scheduler-stats/get_pools")["pools"]), "a pool")
        services = {"binary": "cinder-backup"}
        wait_until(lambda: bool(admin.get("/os-services", **services)["services"]), "a repository")
        yield demo, up
    finally:
        assert up.end() == 0


def digest_of(path: Path) -> str:
    return blake3().update_mmap(path).hexdigest()


def becomes_available(client: Client, kind: str, resource_id: str) -> None:
    def is_over() -> bool:
        found = client.get(f"/{kind}s/{resource_id}")[kind]
        assert "error" not in found["status"], found
        return bool(found["status"] == "available")

    wait_until(is_over, f"{kind} {resource_id}")


def make_volume(client: Client, **values: object) -> str:
    asked = {"volume": {"size": 1, **values}}
    made: str = client.post("/volumes", asked)["volume"]["id"]
    becomes_available(client, "volume", made)
    return made


def make_backup(client: Client, volume: str, *, incremental: bool) -> str:
    asked = {"backup": {"volume_id": volume, "incremental": incremental, "metadata": {"a": "b"}}}
    made: str = client.post("/backups", asked)["backup"]["id"]
    becomes_available(client, "backup", made)
    return made


def write(home: Path, volume: str, offset: int, data: bytes) -> None:
    with (home / "backends" / "fast" / "volumes" / volume).open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_the_database_is_gone(tmp_path: Path) -> None:
    rng = random.Random(1)
    (tmp_path / "storage.toml").write_text(CONFIGURATION)
    (tmp_path / "main.key").write_bytes(rng.randbytes(32))
    path = tmp_path / "backends" / "fast" / "volumes"
    expected: dict[str, str] = {}
    with running(tmp_path, own_database()) as (client, _):
        for number in range(2):
            volume = make_volume(client, name=f"data-{number}", metadata={"number": str(number)})
            for _ in range(4):
                write(tmp_path, volume, rng.randrange(900) * MIB, rng.randbytes(300 * KIB))
            for incremental in (False, True):
                backup = make_backup(client, volume, incremental=incremental)
                expected[backup] = digest_of(path / volume)
                write(tmp_path, volume, rng.randrange(900) * MIB, rng.randbytes(70 * KIB))
        before = {each["id"]: each for each in client.get("/backups/detail")["backups"]}

    for lost in tmp_path.glob("khoi.sqlite3*"):
        lost.unlink()
    (tmp_path / "clouds.yaml").unlink()
    with running(tmp_path, own_database()) as (client, up):
        assert client.get("/backups")["backups"] == []
        scan = [sys.executable, str(MANAGE), "repository", "scan", "main", "--project", "demo"]
        environment = up.environment | {"STORAGE_HOME": str(tmp_path)}
        for told in ("4 brought back, 0 known", "0 brought back, 4 known"):
            done = subprocess.run(scan, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert told in done.stdout
        after = {each["id"]: each for each in client.get("/backups/detail")["backups"]}
        same = ("id", "volume_id", "size", "metadata", "data_timestamp", "is_incremental")
        assert after.keys() == before.keys()
        for backup, was in before.items():
            assert {key: after[backup][key] for key in same} == {key: was[key] for key in same}
        restored = {
            backup: client.post(f"/backups/{backup}/restore", {"restore": {}})["restore"]
            for backup in expected
        }
        for backup, content in expected.items():
            volume = restored[backup]["volume_id"]
            becomes_available(client, "volume", volume)
            assert digest_of(path / volume) == content
            assert client.get(f"/volumes/{volume}")["volume"]["metadata"]["number"] in ("0", "1")
