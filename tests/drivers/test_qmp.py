"""With a real storage daemon, which speaks QMP as every QEMU does."""

import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from drivers.qmp import Qmp, QmpError
from tests.drivers.volume.disks import lack

GENEROUS_S = 30.0


@pytest.fixture
def control(tmp_path):
    return tmp_path / "qmp"


@pytest.fixture
def daemon(control):
    if shutil.which("qemu-storage-daemon") is None:
        lack("qemu-storage-daemon")
    daemon = subprocess.Popen(
        [
            "qemu-storage-daemon",
            *("--chardev", f"socket,id=qmp,path={control},server=on,wait=off"),
            *("--monitor", "chardev=qmp"),
        ]
    )
    deadline = time.monotonic() + GENEROUS_S
    while not control.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield daemon
    daemon.kill()
    daemon.wait()


@pytest.mark.usefixtures("daemon")
class TestQmp:
    def test_a_command_returns_its_value(self, control):
        with Qmp(control) as qmp:
            assert qmp.execute("query-block-exports") == []
            assert {"name": "qmp_capabilities"} in qmp.execute("query-commands")

    def test_a_refusal_has_a_class_and_words(self, control):
        with Qmp(control) as qmp:
            with pytest.raises(QmpError) as caught:
                qmp.execute("no-such-command")
            assert caught.value.class_ == "CommandNotFound"
            assert "no-such-command" in caught.value.desc
            assert qmp.execute("query-block-exports") == []  # and the conversation goes on

    def test_clients_take_turns(self, control):
        def ask(_) -> list:
            with Qmp(control, timeout_s=GENEROUS_S) as qmp:
                return qmp.execute("query-block-exports")

        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(ask, range(40))) == [[]] * 40

    def test_who_does_not_get_a_turn_in_time_is_told(self, control):
        with Qmp(control), pytest.raises(TimeoutError), Qmp(control, timeout_s=0.1):
            pass
        with Qmp(control) as qmp:
            qmp.execute("query-block-exports")

    def test_events_are_kept_until_somebody_waits_for_them(self, control, tmp_path):
        image = tmp_path / "image"
        image.write_bytes(bytes(1 << 16))
        with Qmp(control) as qmp:
            address = {"type": "unix", "data": {"path": str(tmp_path / "nbd")}}
            node = {"driver": "file", "node-name": "n", "filename": str(image)}
            qmp.execute("nbd-server-start", {"addr": address})
            qmp.execute("blockdev-add", node)
            qmp.execute("block-export-add", {"type": "nbd", "id": "e", "node-name": "n"})
            qmp.execute("block-export-del", {"id": "e"})
            qmp.execute("query-block-exports")
            event = qmp.wait_event(
                lambda event: event["event"] == "BLOCK_EXPORT_DELETED", timeout_s=GENEROUS_S
            )
            assert event["data"] == {"id": "e"}
            with pytest.raises(TimeoutError):
                qmp.wait_event(lambda event: True, timeout_s=0.05)


def test_a_daemon_that_dies_hangs_up(daemon, control):
    with Qmp(control) as qmp:
        daemon.kill()
        daemon.wait()
        with pytest.raises(ConnectionError):
            qmp.execute("query-block-exports")
    with pytest.raises(ConnectionRefusedError), Qmp(control):
        pass


def test_where_nobody_ever_listened(control):
    with pytest.raises(FileNotFoundError), Qmp(control):
        pass
