"""Khoi on one machine with servers: every export, both hypervisors, every process real.

    with Site(home, libvirt_uri=…) as site:
        volume_id = site.create_volume("nbd")
        site.attach(server_id, volume_id)

There is a backend for each export, and a volume type for each backend, all of one name.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drivers.export.base import ExportDriver, Published
from drivers.export.iscsi import IscsiExport
from drivers.export.nbd import NbdExport
from tests.contracts.export_driver import daemons_below
from tests.crash.processes.cluster import Cluster
from tests.stack import HOST, directory_repository, file_backends, free_port, wait_until

EXPORTS = ("file", "nbd", "iscsi")
REFLINK = "reflink"  # a backend over NBD, where files can share blocks; started by who has a disk
ROOMY = {"max_over_subscription_ratio": 1e6, "min_free_mib": 0}


class Site(Cluster):
    """What is asked for is asked for as `demo`, over HTTP."""

    def __init__(self, home: Path, *, libvirt_uri: str) -> None:
        self._portal_port = free_port()
        super().__init__(home, self._configuration(libvirt_uri))
        self.backends = [*EXPORTS]
        self.workers = ["control", "volume", "compute", *self.copies]
        self.dispatchers = ["dispatch"]
        self.sockets = home / "servers"
        self.sockets.mkdir()

    def _configuration(self, libvirt_uri: str) -> str:
        tables = [file_backends(name, exports=[name], **ROOMY) for name in EXPORTS]
        tables += [
            file_backends(REFLINK, exports=["nbd"], **ROOMY),
            directory_repository("main"),
            f"[exports.iscsi]\nportal_port = {self._portal_port}",
            '[hypervisors.qemu]\ndriver = "qemu"\nsockets = "servers"',
            f'[hypervisors.kvm]\ndriver = "libvirt"\nuri = {json.dumps(libvirt_uri)}',
        ]
        return "\n".join(tables)

    def _start_workers(self) -> None:
        self.start_worker("control", queue="control")
        self.start_worker("volume", queue=",".join(f"volume.{HOST}@{name}" for name in EXPORTS))
        for name in self.copies:
            self.start_worker(name, queue=f"data.{HOST}", threads=True)
        self.start_worker("compute", queue=f"compute.{HOST}")
        self.start_exports()

    def _start_everything(self) -> None:
        super()._start_everything()
        for name in EXPORTS:
            self.make_type(name)

    def make_type(self, backend: str) -> None:
        """Let volumes be asked for that are on this backend."""
        fields = {"name": backend, "extra_specs": {"volume_backend_name": backend}}
        answer = self.admin.send("POST", "/v3/types", {"volume_type": fields})
        assert answer.ok, answer.text

    def add_backend(self, name: str) -> None:
        """Start one more of the configured backends, with a worker of its own."""
        self.backends.append(name)
        self.start_backend(name)
        self.make_type(name)
        wait_until(lambda: len(self._pools()) == len(self.backends), f"the pool {name}")

    # Volumes

    def create_volume(self, backend: str, size_gib: int = 1) -> str:
        """The id of a new volume, once it is available."""
        answer = self.demo.create(size_gib, volume_type=backend)
        assert answer.status_code == 202, answer.text
        volume_id: str = answer.json()["volume"]["id"]
        self.wait_for_volume(volume_id, "available")
        return volume_id

    def wait_for_volume(self, volume_id: str, status: str) -> None:
        """Return once the volume has this status."""
        self.wait_until(lambda: self.volume(volume_id)["status"] == status, f"{status} {volume_id}")

    def wait_until(self, true: Callable[[], bool], what: str) -> None:
        """Return once `true()`; else tell what operations there were."""
        try:
            wait_until(true, what)
        except TimeoutError as error:
            shown = ("kind", "status", "step", "phase", "error")
            latest = self.admin.operations(all_tenants="1", limit="8")
            told = [" ".join(str(each[name]) for name in shown) for each in latest]
            raise TimeoutError("\n".join([str(error), *told])) from None

    def volume_file(self, volume_id: str) -> Path:
        """Where the backend keeps the volume."""
        [path] = self.home.glob(f"volumes/*/volumes/{volume_id}")
        return path

    def read(self, volume_id: str, offset: int, length: int) -> bytes:
        """Bytes of the volume, from the file that it is."""
        with self.volume_file(volume_id).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def take_snapshot(self, volume_id: str) -> Path:
        """The file of a new snapshot, once that is available."""
        answer = self.demo.send("POST", "/v3/snapshots", {"snapshot": {"volume_id": volume_id}})
        assert answer.status_code == 202, answer.text
        path = f"/v3/snapshots/{answer.json()['snapshot']['id']}"
        self.wait_until(
            lambda: self.demo.get(path)["snapshot"]["status"] == "available", f"available {path}"
        )
        [file] = self.home.glob(f"volumes/*/snapshots/{volume_id}@{Path(path).name}")
        return file

    # Backups

    def back_up(self, volume_id: str, *, incremental: bool = False) -> str:
        """The id of a new backup, once it is available; the volume may be in use."""
        body = {"backup": {"volume_id": volume_id, "incremental": incremental, "force": True}}
        answer = self.demo.send("POST", "/v3/backups", body)
        assert answer.status_code == 202, answer.text
        backup_id: str = answer.json()["backup"]["id"]
        self.wait_until(
            lambda: self.backup(backup_id)["status"] == "available", f"backup {backup_id}"
        )
        return backup_id

    def backup(self, backup_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.demo.get(f"/v3/backups/{backup_id}")["backup"]
        return found

    def restore(self, backup_id: str) -> str:
        """The id of a new volume with what was backed up, once it is available."""
        answer = self.demo.send("POST", f"/v3/backups/{backup_id}/restore", {"restore": {}})
        assert answer.status_code == 202, answer.text
        volume_id: str = answer.json()["restore"]["volume_id"]
        self.wait_for_volume(volume_id, "available")
        return volume_id

    # Servers

    def wait_for_server(self, server_id: str) -> None:
        """Return once the server can be attached to."""
        wait_until(lambda: self._server_status(server_id) == "ACTIVE", f"server {server_id}")

    def wait_for_end_of(self, server_id: str) -> None:
        """Return once it is known that there is no such server any more, or that it is off."""
        wait_until(
            lambda: self._server_status(server_id) in (None, "SHUTOFF"), f"the end of {server_id}"
        )

    def _server_status(self, server_id: str) -> str | None:
        answer = self.demo.send("GET", f"/compute/v2.1/servers/{server_id}")
        status: str | None = answer.json()["server"]["status"] if answer.ok else None
        return status

    def attach(self, server_id: str, volume_id: str) -> None:
        """Ask for a volume to be attached."""
        body = {"volumeAttachment": {"volumeId": volume_id}}
        answer = self.demo.send("POST", _attachments_of(server_id), body)
        assert answer.ok, answer.text

    def detach(self, server_id: str, volume_id: str) -> None:
        """Ask for a volume to be detached."""
        answer = self.demo.send("DELETE", f"{_attachments_of(server_id)}/{volume_id}")
        assert answer.status_code == 202, answer.text

    def attached(self, server_id: str) -> list[str]:
        """The ids of the volumes that the API says a server has."""
        rows = self.demo.get(_attachments_of(server_id))["volumeAttachments"]
        return [each["volumeId"] for each in rows]

    # Exports

    def exports(self) -> list[ExportDriver]:
        """Those that have daemons, looked at from outside."""
        iscsi = IscsiExport.Options(portal_port=self._portal_port)
        return [
            NbdExport(NbdExport.Options(), name="nbd", home=self.home),
            IscsiExport(iscsi, name="iscsi", home=self.home),
        ]

    def published(self) -> list[Published]:
        """What the daemons export just now."""
        return [each for export in self.exports() for each in export.list_exports()]

    def require_nothing_exported(self) -> None:
        """What a loop that has just been killed may leave for a moment is gone in the next one."""
        self.wait_until(lambda: not self.published(), "all exports to go")

    def daemons(self, export: str) -> list[int]:
        """The processes that serve an export."""
        return daemons_below(self.home / "exports" / export)

    def operation_on(self, volume_id: str, kind: str) -> dict[str, Any]:
        """The latest operation of a kind on the only attachment of a volume."""
        [attachment] = self.admin.get(
            f"/v3/attachments/detail?all_tenants=1&volume_id={volume_id}"
        )["attachments"]
        found = self.admin.operations(all_tenants="1", resource_id=attachment["id"], kind=kind)
        return found[0]


def _attachments_of(server_id: str) -> str:
    return f"/compute/v2.1/servers/{server_id}/os-volume_attachments"
