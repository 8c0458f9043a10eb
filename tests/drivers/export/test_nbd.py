import grp
import os
import stat
from pathlib import Path
from uuid import uuid4

import pytest

from drivers.errors import DriverError, Reason
from drivers.export.base import Connector, Export
from drivers.export.nbd import NbdExport
from drivers.options import read_options
from drivers.qmp import Qmp
from drivers.volume.file import FileDriver
from tests.contracts.export_driver import (
    HOSTS,
    DaemonExportContract,
    daemons_below,
    new_id,
    tended,
)
from tests.drivers.export.clients import OpenClient, qemu_io
from tests.drivers.volume.crashes import killed_at_every_line
from tests.drivers.volume.disks import mounted_disk


def nbd_export(home: Path, **options: str) -> NbdExport:
    checked = read_options(NbdExport.Options, options, where="exports.nbd")
    return NbdExport(checked, name="nbd", home=home)


def image_options(info) -> str:
    data = info["data"]
    path = data["socket"].replace(",", ",,")
    return f"driver=nbd,server.type=unix,server.path={path},export={data['export']}"


def patient_options(info) -> str:
    """Of a client that connects again, as a server's does."""
    return image_options(info) + ",reconnect-delay=30"


class TestNbdExport(DaemonExportContract):
    @pytest.fixture
    def untended_driver(self, tmp_path):
        return nbd_export(tmp_path)

    def image_options(self, info, export):
        return image_options(info)

    def test_a_host_cannot_reach_what_another_has(self, driver, new_export):
        one, two = new_export(host=HOSTS[0]), new_export(host=HOSTS[1])
        first, second = driver.publish(one), driver.publish(two)
        assert first["data"]["socket"] != second["data"]["socket"]
        qemu_io(image_options(second), "read 0 4k")
        stolen = {"data": {**first["data"], "export": two.export_id}}
        qemu_io(image_options(stolen), "read 0 4k", succeeds=False)

    def test_a_write_waits_while_the_daemon_is_replaced(self, driver, new_export, tmp_path):
        export = new_export()
        with OpenClient(patient_options(driver.publish(export))) as client:
            client.do("write -P 1 0 4k")
            (daemon,) = daemons_below(tmp_path / "exports/nbd" / HOSTS[0])
            os.kill(daemon, 9)
            driver.publish(export)
            client.do("write -P 2 4k 4k")
            client.do("read -P 1 0 4k")
        assert Path(export.hints["path"]).read_bytes()[4096:8192] == b"\2" * 4096

    def test_a_client_that_stays_connected_outlives_growing(self, driver, new_export):
        export = new_export()
        options = patient_options(driver.publish(export))
        with OpenClient(options) as client:
            client.do("write -P 1 0 4k")
            os.truncate(export.hints["path"], 2 * self.size_bytes)
            driver.extend(export)
            client.do("read -P 1 0 4k")
            client.do("write -P 2 4k 4k")
        qemu_io(options, f"write -P 3 {2 * self.size_bytes - 4096} 4k", "read -P 2 4k 4k")

    def test_what_a_killed_call_left_is_in_nobodys_way(self, driver, new_export, tmp_path):
        export = new_export()
        info = driver.publish(export)
        control = tmp_path / "exports/nbd" / HOSTS[0] / "qmp"
        with Qmp(control) as qmp:
            (there,) = qmp.execute("query-block-exports")
            qmp.execute("block-export-del", {"id": there["id"], "mode": "hard"})
        assert driver.publish(export) == info
        qemu_io(image_options(info), "write -P 1 0 4k")
        driver.revoke(export.export_id, host=HOSTS[0])
        with Qmp(control) as qmp:
            assert qmp.execute("query-named-block-nodes", {"flat": True}) == []

    def test_growing_that_is_killed_goes_on(self, driver, new_export):
        export = new_export()
        options, path = image_options(driver.publish(export)), Path(export.hints["path"])
        os.truncate(path, 2 * self.size_bytes)
        for line in killed_at_every_line(lambda: driver.extend(export)):
            driver.extend(export)
            size_bytes = path.stat().st_size
            if line % 10 == 0:
                qemu_io(options, f"write -P 1 {size_bytes - 4096} 4k")
            os.truncate(path, size_bytes + 4096)
        assert line > 50

    def test_nobody_else_may_connect(self, driver, new_export):
        socket = Path(driver.publish(new_export())["data"]["socket"])
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700

    @pytest.mark.parametrize("host", ["", ".", "..", "a/b", "a b", "h" * 200])
    def test_a_host_must_have_a_name_that_a_folder_can_have(self, driver, new_export, host):
        with pytest.raises(DriverError) as caught:
            driver.publish(new_export(host=host))
        assert caught.value.code == Reason.unsupported


@pytest.fixture
def volume(tmp_path):
    path = tmp_path / "volume"
    path.write_bytes(bytes(1 << 20))
    return path


def export_of(path: Path) -> Export:
    return Export(
        export_id=new_id(),
        volume_id=new_id(),
        hints={"kind": "file", "path": str(path)},
        connector=Connector(host=HOSTS[0]),
    )


def test_a_group_may_connect_but_not_command(tmp_path, volume):
    group = grp.getgrgid(os.getgid())
    driver = nbd_export(tmp_path, group=group.gr_name)
    driver.check()
    with tended(driver):
        socket = Path(driver.publish(export_of(volume))["data"]["socket"])
        for path, mode in {socket: 0o660, socket.parent: 0o710}.items():
            assert stat.S_IMODE(path.stat().st_mode) == mode
            assert path.stat().st_gid == group.gr_gid
        assert stat.S_IMODE((socket.parent / "qmp").stat().st_mode) == 0o600


def test_a_home_with_a_comma(tmp_path, volume):
    home = tmp_path / "a,b=c"
    home.mkdir()
    driver = nbd_export(home)
    with tended(driver):
        qemu_io(image_options(driver.publish(export_of(volume))), "write 0 4k")


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    with pytest.raises(DriverError) as caught:
        nbd_export(tmp_path / ("long" * 20)).check()
    assert "too long" in caught.value.sentence
    with pytest.raises(DriverError) as caught:
        nbd_export(tmp_path, group="no such group").check()
    assert "group" in caught.value.sentence
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DriverError) as caught:
        nbd_export(tmp_path).check()
    assert "qemu-system-common" in caught.value.sentence


def test_only_this_machine_can_attach(tmp_path):
    driver = nbd_export(tmp_path, host="here")
    hints = {"kind": "file", "path": "/"}
    assert driver.refusal(hints, Connector(host="here")) is None
    assert "on the machine" in driver.refusal(hints, Connector(host="there"))


def test_a_volume_can_be_snapshotted_while_it_is_exported(tmp_path):
    with mounted_disk("xfs", tmp_path) as disk:
        backend = FileDriver(FileDriver.Options(path=disk), name="fast", home=tmp_path)
        backend.check()
        volume_id, snapshot_id = new_id(), new_id()
        backend.create_volume(volume_id, 1, pool="fast")
        driver = nbd_export(tmp_path)
        path = Path(backend.export_hints(volume_id, pool="fast")["path"])
        with tended(driver), OpenClient(image_options(driver.publish(export_of(path)))) as client:
            client.do("write -P 1 0 4k")
            backend.create_snapshot(snapshot_id, volume_id, pool="fast", in_use=True)
            client.do("write -P 2 0 4k")
            client.do("read -P 2 0 4k")
        with backend.open_reader(volume_id, pool="fast", snapshot_id=snapshot_id) as reader:
            assert reader.read(0, 4096) == b"\1" * 4096


def test_a_host_too_far_away_for_a_socket_has_nothing_exported(tmp_path):
    driver = NbdExport(NbdExport.Options(), name="nbd", home=tmp_path)
    driver.revoke(str(uuid4()), host="h" * 63)
    assert driver.list_exports() == []
