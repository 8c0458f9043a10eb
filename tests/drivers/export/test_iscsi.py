import json
import os
import socket
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.errors import DriverError, Reason
from drivers.export.base import Connector
from drivers.export.iscsi import IscsiExport
from drivers.export.tgt import Mode, Op, Tgt
from drivers.options import read_options
from tests.clients.os_brick import os_brick
from tests.contracts.export_driver import HOSTS, DaemonExportContract, daemons_below, tended
from tests.drivers.export.clients import qemu_io
from tests.drivers.volume.disks import lack
from tests.stack import free_port


def iscsi_export(home: Path, **options: str | int) -> IscsiExport:
    values = {"portal_port": free_port(), **options}
    checked = read_options(IscsiExport.Options, values, where="exports.iscsi")
    return IscsiExport(checked, name="iscsi", home=home)


@pytest.fixture(autouse=True)
def _root():
    if os.geteuid() != 0:
        lack("root, whose orders alone tgtd takes")


class TestIscsiExport(DaemonExportContract):
    @pytest.fixture
    def untended_driver(self, tmp_path):
        return iscsi_export(tmp_path)

    def image_options(self, info, export, **changes):
        data = info["data"]
        options = {
            "driver": "iscsi",
            "transport": "tcp",
            "portal": data["target_portal"],
            "target": data["target_iqn"],
            "lun": data["target_lun"],
            "initiator-name": data["initiator_name"],
            "user": data["auth_username"],
            "password": data["auth_password"],
            **changes,
        }
        return ",".join(f"{key}={value}" for key, value in options.items() if value is not None)

    def test_the_password_decides(self, driver, new_export):
        export, other = new_export(), new_export()
        info, other_info = driver.publish(export), driver.publish(other)
        qemu_io(self.image_options(info, export), "write -P 1 0 4k")
        stranger = other_info["data"]
        for wrong in (
            {"password": "wrong"},
            {"user": "wrong"},
            {"user": None, "password": None},
            {"user": stranger["auth_username"], "password": stranger["auth_password"]},
        ):
            options = self.image_options(info, export, **wrong)
            said = qemu_io(options, "read 0 4k", succeeds=False)
            assert "Authentication failure" in said

    def test_only_the_initiator_of_the_connector_may_log_in(self, driver, new_export):
        export = new_export()
        info = driver.publish(export)
        options = self.image_options(info, export, **{"initiator-name": "iqn.2026-01.example:eve"})
        assert "Target not found" in qemu_io(options, "read 0 4k", succeeds=False)

    def test_os_brick_finds_the_target_in_it(self, driver, new_export):
        info = driver.publish(new_export())
        data = info["data"]
        expected = [data["target_portal"], data["target_iqn"], data["target_lun"]]
        assert os_brick("targets", json.dumps(info)) == [expected]
        assert data["auth_method"] == "CHAP"
        assert {"auth_username", "auth_password", "volume_id"} <= data.keys()

    def test_what_a_killed_call_left_is_made_anew(self, driver, new_export, tmp_path):
        export = new_export()
        info = driver.publish(export)
        driver.revoke(export.export_id, host=HOSTS[0])
        tgt = Tgt(tmp_path / "exports/iscsi/tgtd/control.0", timeout_s=10)
        user = info["data"]["auth_username"]
        assert tgt.accounts() == []
        tgt.request(Mode.ACCOUNT, Op.NEW, f"user={user},password=old")
        driver.revoke(export.export_id, host=HOSTS[0])
        assert tgt.accounts() == []
        tgt.request(Mode.ACCOUNT, Op.NEW, f"user={user},password=old")
        iqn = info["data"]["target_iqn"]
        tgt.request(Mode.TARGET, Op.NEW, f"targetname={iqn}", target=7)
        assert [each.export_id for each in driver.list_exports()] == [export.export_id]
        assert driver.publish(export) == info
        qemu_io(self.image_options(info, export), "write -P 1 0 4k")
        driver.revoke(export.export_id, host=HOSTS[0])
        assert tgt.targets() == []

    def test_the_disk_is_known_by_its_volume(self, driver, new_export, tmp_path):
        export = new_export()
        driver.publish(export)
        tgt = Tgt(tmp_path / "exports/iscsi/tgtd/control.0", timeout_s=10)
        shown = tgt.request(Mode.TARGET, Op.SHOW)
        assert f"SCSI SN: {export.volume_id.replace('-', '')}" in shown

    def test_who_cannot_connect_is_refused(self, driver, new_export):
        for initiator in ("", "not an initiator", "iqn.a,password=x"):
            connector = Connector(host=HOSTS[0], initiator=initiator)
            export = replace(new_export(), connector=connector)
            assert "initiator" in driver.refusal(export.hints, connector)
            with pytest.raises(DriverError) as caught:
                driver.publish(export)
            assert caught.value.code == Reason.unsupported


def test_a_portal_that_is_taken_is_left_alone(tmp_path):
    """tgtd itself would then listen on every address of the machine."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        driver = iscsi_export(tmp_path, portal_port=other.getsockname()[1])
        with pytest.raises(DriverError) as caught:
            driver.tend(HOSTS)
        assert caught.value.code == Reason.unavailable
        assert caught.value.retryable
        assert daemons_below(tmp_path) == []
    with tended(driver):
        pass


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    with pytest.raises(DriverError) as caught:
        iscsi_export(tmp_path / ("long" * 20)).check()
    assert "too long" in caught.value.sentence
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(DriverError) as caught:
        iscsi_export(tmp_path).check()
    assert "root" in caught.value.sentence
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DriverError) as caught:
        iscsi_export(tmp_path).check()
    assert "package tgt" in caught.value.sentence


REQUESTS = {
    "--mode account --op new --user u --password p": (
        (Mode.ACCOUNT, Op.NEW, "user=u,password=p"),
        {},
    ),
    "--mode account --op bind --tid 5 --user u": (
        (Mode.ACCOUNT, Op.BIND, "user=u"),
        {"target": 5},
    ),
    "--mode account --op delete --user u": ((Mode.ACCOUNT, Op.DELETE, "user=u"), {}),
    "--mode target --op new --tid 5 --targetname iqn.x": (
        (Mode.TARGET, Op.NEW, "targetname=iqn.x"),
        {"target": 5},
    ),
    "--mode target --op bind --tid 5 --initiator-name iqn.y": (
        (Mode.TARGET, Op.BIND, "initiator-name=iqn.y"),
        {"target": 5},
    ),
    "--mode target --op delete --tid 5 --force": (
        (Mode.TARGET, Op.DELETE),
        {"target": 5, "force": True},
    ),
    "--mode target --op show": ((Mode.TARGET, Op.SHOW), {}),
    "--mode logicalunit --op new --tid 5 --lun 1 --backing-store /v --bstype rdwr": (
        (Mode.UNIT, Op.NEW, "path=/v,bstype=rdwr"),
        {"target": 5, "unit": 1},
    ),
    "--mode logicalunit --op update --tid 5 --lun 1 --params readonly=1": (
        (Mode.UNIT, Op.UPDATE, "targetOps readonly=1,"),
        {"target": 5, "unit": 1},
    ),
}


@pytest.mark.parametrize("arguments", REQUESTS)
def test_we_ask_as_tgtadm_does(tmp_path, arguments):
    """A tgt that one day speaks otherwise is noticed here."""
    texts, options = REQUESTS[arguments]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control.0"))
        listener.listen()
        received: list[bytes] = []

        def answer() -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    # All of it: a client sends a header of 120 bytes and, in one go or two, text.
                    data = b""
                    while len(data) < 120 or len(data) < int.from_bytes(data[72:76], "little"):
                        data += connection.recv(4096)
                    received.append(data)
                    connection.sendall(bytes(4) + (8).to_bytes(4, "little"))

        answering = threading.Thread(target=answer)
        answering.start()
        subprocess.run(
            ["tgtadm", "--lld", "iscsi", *arguments.split()],
            env={**os.environ, "TGT_IPC_SOCKET": str(tmp_path / "control")},
            check=True,
            timeout=30,
        )
        Tgt(tmp_path / "control.0", timeout_s=10).request(*texts, **options)
        answering.join()
    theirs, ours = received
    assert ours == theirs
