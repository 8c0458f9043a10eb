"""The promises of `drivers.export.base`, as tests. See docs/drivers.md for how to run them.

A driver's test module subclasses the contract that fits: `ExportContract` for what every driver
promises, `FileExportContract` for one that exports files, `DaemonExportContract` for one that does
so with daemons.
"""

import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from drivers.errors import DriverError, Reason
from drivers.export import supervised
from drivers.export.base import Connector, Export, ExportDriver, Published
from drivers.units import MIB
from drivers.volume.base import JSON
from tests.drivers.export.clients import OpenClient, qemu_io
from tests.drivers.volume.crashes import killed_at_every_line

GENEROUS_S = 30.0
HOSTS = ("host-a", "host-b")


def new_id() -> str:
    return str(uuid4())


def wait_until(is_so: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + GENEROUS_S
    while not is_so():
        assert time.monotonic() < deadline, f"not within {GENEROUS_S} s: {what}"
        time.sleep(0.01)


@contextmanager
def tended(driver: ExportDriver, hosts: Collection[str] = HOSTS) -> Iterator[None]:
    """Call `tend` all the time, as `manage.py exports` does, and close in the end."""
    stop = threading.Event()

    def tend() -> None:
        while not stop.is_set():
            driver.tend(hosts)
            stop.wait(0.02)
        driver.close()

    thread = threading.Thread(target=tend)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def daemons_below(home: Path) -> list[int]:
    """The processes that live in a folder below this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            folder = (process / "cwd").readlink()
        except OSError:
            continue  # it has just ended, or is a zombie
        if folder.is_relative_to(home):
            found.append(int(process.name))
    return found


class ExportContract:
    """Supply `driver`, checked and, where it has daemons, tended; and `hints` of a new volume."""

    lists_exports = True

    @pytest.fixture
    def driver(self) -> ExportDriver:
        raise NotImplementedError

    @pytest.fixture
    def new_volume(self) -> Callable[[], dict[str, JSON]]:
        """Make a volume that the driver can export and return its hints."""
        raise NotImplementedError

    @pytest.fixture
    def new_export(self, new_volume) -> Callable[..., Export]:
        def new_export(**changes) -> Export:
            export = Export(
                export_id=new_id(),
                volume_id=new_id(),
                hints=changes.pop("hints", None) or new_volume(),
                connector=Connector(
                    host=changes.pop("host", HOSTS[0]),
                    initiator="iqn.1993-08.org.debian:01:abcdef",
                    ip="127.0.0.1",
                ),
                secret=secrets.token_hex(16),  # which a driver without secrets ignores
            )
            return replace(export, **changes)

        return new_export

    def listed(self, driver) -> set[Published]:
        return set(driver.list_exports())

    def test_checking_again_is_fine(self, driver):
        driver.check()
        driver.check()

    def test_the_answer_has_the_form_of_os_brick(self, driver, new_export):
        export = new_export()
        info = driver.publish(export)
        json.dumps(info)
        assert info.keys() == {"driver_volume_type", "data"}
        assert isinstance(info["driver_volume_type"], str)
        assert info["data"]["volume_id"] == export.volume_id
        assert info["data"]["access_mode"] == "rw"
        assert driver.publish(new_export(read_only=True))["data"]["access_mode"] == "ro"

    def test_publishing_again_gives_the_same_answer(self, driver, new_export):
        export = new_export()
        assert driver.publish(export) == driver.publish(export)

    def test_a_secret_is_in_the_answer_and_nowhere_else(self, driver, new_export):
        export = new_export(secret="do-not-tell-anybody")
        info = driver.publish(export)
        assert (info["data"].get("auth_password") == export.secret) is driver.has_secret
        assert export.secret not in repr(export)
        with pytest.raises(DriverError) as caught:
            driver.publish(replace(export, hints={"kind": "unheard of"}))
        assert export.secret not in f"{caught.value} {caught.value!r}"

    def test_exports_are_listed_while_they_are_there(self, driver, new_export):
        assert self.listed(driver) == set()
        one, two = new_export(), new_export(host=HOSTS[1])
        for export in (one, two):
            driver.publish(export)
        expected = {Published(one.export_id, HOSTS[0]), Published(two.export_id, HOSTS[1])}
        assert self.listed(driver) == (expected if self.lists_exports else set())
        driver.revoke(one.export_id, host=HOSTS[0])
        expected = {Published(two.export_id, HOSTS[1])}
        assert self.listed(driver) == (expected if self.lists_exports else set())

    def test_revoking_what_is_not_there_is_done(self, driver, new_export):
        export = new_export()
        driver.publish(export)
        for _ in range(2):
            driver.revoke(export.export_id, host=HOSTS[0])
        driver.revoke(new_id(), host=HOSTS[0])
        driver.revoke(new_id(), host="nobody-ever-heard-of")
        driver.revoke(new_id(), host="../no name of a host")
        assert self.listed(driver) == set()

    def test_what_was_revoked_can_be_published_again(self, driver, new_export):
        export = new_export()
        info = driver.publish(export)
        driver.revoke(export.export_id, host=HOSTS[0])
        assert driver.publish(export) == info

    def test_a_volume_of_another_kind_is_refused(self, driver, new_export):
        export = new_export(hints={"kind": "unheard of"})
        refusal = driver.refusal(export.hints, export.connector)
        assert refusal
        assert refusal[0].islower()
        assert not refusal.endswith(".")
        with pytest.raises(DriverError) as caught:
            driver.publish(export)
        assert caught.value.code == Reason.unsupported
        assert not caught.value.retryable
        assert refusal in caught.value.sentence
        assert "/" not in caught.value.sentence

    def test_what_can_be_exported_is_not_refused(self, driver, new_export):
        export = new_export()
        assert driver.refusal(export.hints, export.connector) is None

    def test_an_id_that_is_no_uuid_is_refused(self, driver, new_export):
        for bad_id in ("", "../x", "user=x,password=y", new_id().upper()):
            with pytest.raises(DriverError) as caught:
                driver.publish(new_export(export_id=bad_id))
            assert caught.value.code == Reason.invalid

    def test_threads_that_publish_the_same_get_the_same(self, driver, new_export):
        export = new_export()
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(driver.publish, [export] * 8))
        assert all(answer == answers[0] for answer in answers)

    def test_threads_that_work_on_different_exports_do_not_meet(self, driver, new_export):
        def live(index: int) -> None:
            export = new_export(host=HOSTS[index % 2])
            driver.publish(export)
            if self.lists_exports:
                published = Published(export.export_id, export.connector.host)
                assert published in driver.list_exports()
            driver.revoke(export.export_id, host=export.connector.host)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(live, range(12)))
        assert self.listed(driver) == set()

    def test_growing_is_told_or_refused(self, driver, new_export):
        export = new_export()
        driver.publish(export)
        if driver.extends_in_use:
            driver.extend(export)
            driver.extend(export)
            return
        with pytest.raises(DriverError) as caught:
            driver.extend(export)
        assert caught.value.code == Reason.unsupported
        assert not caught.value.retryable


class FileExportContract(ExportContract):
    """For volumes that are files. Supply also `image_options`: how QEMU connects."""

    size_bytes = 8 * MIB

    @pytest.fixture
    def new_volume(self, tmp_path):
        (tmp_path / "volumes").mkdir()

        def new_volume() -> dict[str, JSON]:
            path = tmp_path / "volumes" / new_id()
            path.touch()
            os.truncate(path, self.size_bytes)
            return {"kind": "file", "path": str(path), "format": "raw"}

        return new_volume

    def image_options(self, info: dict[str, JSON], export: Export) -> str:
        """What follows `--image-opts` for a client that was given this answer."""
        raise NotImplementedError

    @pytest.fixture
    def connect(self, driver, new_export) -> Callable[[Export], str]:
        """Publish, and return the client's image options."""
        return lambda export: self.image_options(driver.publish(export), export)

    def test_what_is_written_is_in_the_file_and_the_other_way_round(self, connect, new_export):
        export = new_export()
        options, path = connect(export), Path(export.hints["path"])
        qemu_io(options, "write -P 0xa5 1M 64k", "flush")
        with path.open("r+b") as file:
            file.seek(MIB)
            assert file.read(64 << 10) == b"\xa5" * (64 << 10)
            file.seek(2 * MIB)
            file.write(b"\x5a" * 4096)
        qemu_io(options, "read -P 0xa5 1M 64k", "read -P 0x5a 2M 4k", "read -P 0 4M 4k")

    def test_exports_of_different_volumes_are_independent(self, driver, connect, new_export):
        one, two = new_export(), new_export()
        first, second = connect(one), connect(two)
        qemu_io(first, "write -P 1 0 4k")
        qemu_io(second, "write -P 2 0 4k")
        qemu_io(first, "read -P 1 0 4k")
        driver.revoke(one.export_id, host=HOSTS[0])
        qemu_io(second, "read -P 2 0 4k", "write -P 3 0 4k")

    @pytest.mark.parametrize("hosts", [(HOSTS[0], HOSTS[1]), (HOSTS[0], HOSTS[0])])
    def test_a_volume_can_have_two_exports(self, driver, connect, new_export, hosts):
        """To two hosts, or to two servers of one."""
        one = new_export(host=hosts[0])
        two = new_export(host=hosts[1], hints=one.hints, volume_id=one.volume_id)
        with OpenClient(connect(one)) as first, OpenClient(connect(two)) as second:
            first.do("write -P 1 0 4k")
            second.do("read -P 1 0 4k")
            second.do("write -P 2 4k 4k")
            first.do("read -P 2 4k 4k")
        driver.revoke(one.export_id, host=hosts[0])
        qemu_io(connect(two), "read -P 1 0 4k", "write -P 3 0 4k")

    def test_a_volume_that_is_not_there_is_said_to_be_missing(self, driver, new_export):
        export = new_export()
        Path(export.hints["path"]).unlink()
        with pytest.raises(DriverError) as caught:
            driver.publish(export)
        assert caught.value.code == Reason.not_found
        assert "/" not in caught.value.sentence
        assert self.listed(driver) == set()

    def test_a_volume_that_has_grown_is_found_to_be_larger(self, driver, connect, new_export):
        export = new_export()
        options = connect(export)
        qemu_io(options, "write -P 7 0 4k")
        os.truncate(export.hints["path"], 2 * self.size_bytes)
        if driver.extends_in_use:
            driver.extend(export)
        else:  # detached and attached
            driver.revoke(export.export_id, host=HOSTS[0])
            options = connect(export)
        qemu_io(options, f"write -P 8 {2 * self.size_bytes - 4096} 4k", "read -P 7 0 4k")
        assert Path(export.hints["path"]).stat().st_size == 2 * self.size_bytes


class DaemonExportContract(FileExportContract):
    """Supply also `untended_driver`, which nobody tends."""

    @pytest.fixture
    def untended_driver(self) -> ExportDriver:
        raise NotImplementedError

    @pytest.fixture
    def driver(self, untended_driver):
        untended_driver.check()
        with tended(untended_driver):
            yield untended_driver

    def test_what_was_revoked_cannot_be_reached(self, driver, connect, new_export):
        export = new_export()
        options = connect(export)
        qemu_io(options, "write -P 1 0 4k")
        driver.revoke(export.export_id, host=HOSTS[0])
        assert qemu_io(options, "write -P 2 0 4k", succeeds=False)
        assert Path(export.hints["path"]).read_bytes()[:4096] == b"\1" * 4096

    def test_a_client_that_has_it_open_is_cut_off(self, driver, connect, new_export):
        assert driver.fences
        export = new_export()
        with OpenClient(connect(export)) as client:
            client.do("write -P 1 0 4k")
            driver.revoke(export.export_id, host=HOSTS[0])
            assert self.listed(driver) == set()
            assert not client.tries("write -P 2 0 4k")
        assert Path(export.hints["path"]).read_bytes()[:4096] == b"\1" * 4096

    def test_read_only_is_held(self, connect, new_export):
        export = new_export(read_only=True)
        path = Path(export.hints["path"])
        with path.open("r+b") as file:
            file.write(b"\1" * 4096)
        options = connect(export)
        qemu_io(options, "read -P 1 0 4k", read_only=True)
        assert qemu_io(options, "write -P 2 0 4k", succeeds=False)
        assert path.read_bytes()[:4096] == b"\1" * 4096

    def test_a_daemon_that_was_killed_is_replaced(self, driver, connect, new_export, tmp_path):
        exports = [new_export() for _ in range(3)]
        for export in exports:
            qemu_io(connect(export), "write -P 1 0 4k", "flush")
        for daemon in daemons_below(tmp_path):
            os.kill(daemon, 9)
        wait_until(lambda: self.listed(driver) == set(), "the exports are gone")
        for export in exports:
            qemu_io(connect(export), "read -P 1 0 4k", "write -P 2 0 4k")
        assert self.listed(driver) == {Published(each.export_id, HOSTS[0]) for each in exports}

    def test_without_a_supervisor_it_is_unavailable(self, untended_driver, new_export, monkeypatch):
        monkeypatch.setattr(supervised, "WAIT_S", 0.1)
        with pytest.raises(DriverError) as caught:
            untended_driver.publish(new_export())
        assert caught.value.code == Reason.unavailable
        assert caught.value.retryable
        assert "/" not in caught.value.sentence
        assert untended_driver.list_exports() == []
        untended_driver.revoke(new_id(), host=HOSTS[0])

    def test_publishing_waits_for_the_supervisor(self, untended_driver, new_export, tmp_path):
        """And wishes for a daemon that the supervisor knows nothing of."""
        export = new_export()
        with ThreadPoolExecutor(1) as threads:
            publishing = threads.submit(untended_driver.publish, export)
            wait_until(lambda: list((tmp_path / "exports").glob("*/*")), "the wish")
            with tended(untended_driver, hosts=[]):
                publishing.result(GENEROUS_S)
                assert self.listed(untended_driver) == {Published(export.export_id, HOSTS[0])}
                untended_driver.revoke(export.export_id, host=HOSTS[0])
                wait_until(lambda: not daemons_below(tmp_path), "nobody needs it any more")

    def test_daemons_end_with_their_supervisor(self, untended_driver, new_export, tmp_path):
        with tended(untended_driver):
            untended_driver.publish(new_export())
            assert daemons_below(tmp_path)
        wait_until(lambda: not daemons_below(tmp_path), "the daemons end")
        assert untended_driver.list_exports() == []

    def test_no_daemon_outlives_a_supervisor_that_is_killed(
        self, untended_driver, new_export, tmp_path
    ):
        supervisor = os.fork()
        if supervisor == 0:
            try:
                while True:
                    untended_driver.tend(HOSTS)
                    time.sleep(0.02)
            finally:
                os._exit(1)
        try:
            export = new_export()
            info = untended_driver.publish(export)
            qemu_io(self.image_options(info, export), "write 0 4k")
        finally:
            os.kill(supervisor, 9)
            os.waitpid(supervisor, 0)
        # The next one may be there before the old daemons have gone.
        with tended(untended_driver):
            wait_until(lambda: self.listed(untended_driver) == set(), "the exports are gone")
            info = untended_driver.publish(export)
            qemu_io(self.image_options(info, export), "write 0 4k")

    def test_no_secret_is_on_a_command_line(self, driver, new_export, tmp_path):
        export = new_export(secret="do-not-tell-anybody")
        driver.publish(export)
        for pid in daemons_below(tmp_path):
            for told in ("cmdline", "environ"):
                assert export.secret.encode() not in Path(f"/proc/{pid}/{told}").read_bytes()
        for path in (tmp_path / "exports").rglob("*"):
            assert not path.is_file() or export.secret not in path.read_text()

    # Callers that are killed before any of their lines

    def test_a_publisher_that_is_killed_is_followed_by_another(self, driver, connect, new_export):
        export = new_export()
        there = {Published(export.export_id, HOSTS[0])}
        for line in killed_at_every_line(lambda: driver.publish(export)):
            assert {each.export_id for each in driver.list_exports()} <= {export.export_id}
            options = connect(export)
            assert self.listed(driver) == there
            if line % 10 == 0:
                qemu_io(options, "write -P 1 0 4k")
            driver.revoke(export.export_id, host=HOSTS[0])
            assert self.listed(driver) == set()
        assert line > 50

    def test_what_a_killed_publisher_left_can_be_revoked(self, driver, new_export):
        export = new_export()
        for _ in killed_at_every_line(lambda: driver.publish(export)):
            driver.revoke(export.export_id, host=HOSTS[0])
            assert self.listed(driver) == set()

    def test_a_revoker_that_is_killed_is_followed_by_another(self, driver, connect, new_export):
        export, other = new_export(), new_export()
        driver.publish(other)

        def revoke() -> None:
            driver.revoke(export.export_id, host=HOSTS[0])

        driver.publish(export)
        for line in killed_at_every_line(revoke):
            if line % 2:
                revoke()
                assert self.listed(driver) == {Published(other.export_id, HOSTS[0])}
            options = connect(export)
            if line % 10 == 0:
                qemu_io(options, "write -P 1 0 4k")
        assert self.listed(driver) == {Published(other.export_id, HOSTS[0])}
        assert line > 20
