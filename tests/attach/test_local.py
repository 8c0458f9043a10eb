"""`manage.py attach` and `detach`: a volume as a block device of this very machine."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.units import GIB, MIB
from tests.crash.processes.cluster import Cluster, backends
from tests.drivers.volume.disks import lack

PATTERN = os.urandom(MIB)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if os.geteuid() != 0:
        lack("root, to set up loop devices")
    with Cluster(tmp_path_factory.mktemp("local"), backends("fast")) as cluster:
        yield cluster
        cluster.audit()


@pytest.fixture
def volume_id(cluster: Cluster) -> str:
    volume: str = cluster.demo.create(size_gib=1).json()["volume"]["id"]
    cluster.wait_until_all_ended()
    return volume


def volume_of(cluster: Cluster, volume_id: str) -> dict[str, Any]:
    volume: dict[str, Any] = cluster.demo.get(f"/v3/volumes/{volume_id}")["volume"]
    return volume


def test_what_is_written_to_the_device_is_in_the_volume(cluster: Cluster, volume_id: str) -> None:
    device = Path(cluster.manage("attach", volume_id).strip())
    try:
        volume = volume_of(cluster, volume_id)
        assert volume["status"] == "in-use"
        assert volume["attachments"][0]["device"] == str(device)
        device.write_bytes(PATTERN)
        os.sync()
        assert Path(cluster.manage("attach", volume_id).strip()) == device
        claim = os.open(device, os.O_RDONLY | os.O_EXCL)  # as a mount does
        try:
            with pytest.raises(RuntimeError, match="still in use"):
                cluster.manage("detach", volume_id)
        finally:
            os.close(claim)
    finally:
        cluster.manage("detach", volume_id)
    assert volume_of(cluster, volume_id)["status"] == "available"
    stored = cluster.home / "volumes" / "fast" / "volumes" / volume_id
    with stored.open("rb") as file:
        assert file.read(MIB) == PATTERN
    with pytest.raises(RuntimeError, match="not attached to this machine"):
        cluster.manage("detach", volume_id)


def test_grows_in_use(cluster: Cluster, volume_id: str) -> None:
    device = Path(cluster.manage("attach", volume_id).strip())
    try:
        cluster.demo.act(volume_id, "os-extend", {"new_size": 2})
        cluster.wait_until_all_ended()
        cluster.manage("attach", volume_id)
        with device.open("rb") as opened:
            assert opened.seek(0, os.SEEK_END) == 2 * GIB
    finally:
        cluster.manage("detach", volume_id)


def test_read_only(cluster: Cluster, volume_id: str) -> None:
    device = Path(cluster.manage("attach", volume_id, "--read-only").strip())
    try:
        with pytest.raises(PermissionError):
            device.write_bytes(b"x")
    finally:
        cluster.manage("detach", volume_id)
