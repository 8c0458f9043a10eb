"""Volumes that are files, as iSCSI targets of a `tgtd` on this machine.

Each export is a target of its own, with one disk, one initiator that may log in, and a password
that only this attachment knows. The account's name says for which host it is.
"""

import os
import re
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import UUID

from drivers.errors import DriverError, Reason
from drivers.export.base import Connector, Export, Published
from drivers.export.checks import is_host_name, require_file, require_programs, require_taken
from drivers.export.connection import connection_info
from drivers.export.daemon_folder import SOCKET_PATH_BYTES, DaemonFolder, fits_socket
from drivers.export.supervised import WAIT_S, SupervisedExport
from drivers.export.tgt import Mode, Op, Target, Tgt, TgtError
from drivers.options import Option
from drivers.volume.base import JSON
from drivers.volume.checks import require_uuid
from drivers.volume.os_errors import translated_os_errors

FOLDER = "tgtd"
CONTROL = "control"  # to which tgtd adds the number of its control port, 0
UNIT = 1
THREADS = 4  # of each disk; tgtd's own default of 16 makes thousands of them
INITIATOR_NAME = re.compile(r"(iqn|eui|naa)\.[A-Za-z0-9.:_-]{1,219}")


class IscsiExport(SupervisedExport[Tgt]):
    """One daemon for all hosts; its targets are called as the attachments are."""

    protocol = "iscsi"
    has_secret = True
    fences = True

    @dataclass(frozen=True, kw_only=True)
    class Options:
        portal_ip: Annotated[str, Option("the IPv4 address that servers connect to")] = "127.0.0.1"
        portal_port: Annotated[int, Option("its port", at_least=1, at_most=65535)] = 3260
        iqn_prefix: Annotated[str, Option("how the name of every target begins")] = (
            "iqn.2026-01.io.khoi"
        )

    options: Options

    def __init__(self, options: Options, *, name: str, home: Path) -> None:
        super().__init__(options, name=name, home=home)
        self.portal = f"{options.portal_ip}:{options.portal_port}"

    def check(self) -> None:
        require_programs({"tgtd": "tgt", "setpriv": "util-linux"})
        if os.geteuid() != 0:
            raise DriverError(
                "The program tgtd takes orders from root alone.", code=Reason.unavailable
            )
        if not fits_socket(_control(DaemonFolder(self.path / FOLDER))):
            raise DriverError(
                "The path of the home folder is too long for the sockets below it.",
                code=Reason.unsupported,
                detail=f"{self.path / FOLDER / CONTROL}: at most {SOCKET_PATH_BYTES} bytes",
            )

    def refusal(self, hints: Mapping[str, JSON], connector: Connector) -> str | None:
        if hints.get("kind") != "file":
            return "is for volumes that are files"
        if "," in str(hints.get("path")):
            return "is for volumes without a comma in their path"
        if not connector.initiator:
            return "is for hosts with an iSCSI initiator"
        if not INITIATOR_NAME.fullmatch(connector.initiator):
            return "needs an initiator whose name is an iSCSI qualified name"
        if not is_host_name(connector.host):
            return "needs a host whose name is letters, digits, dots, - and _"
        return None

    @translated_os_errors()
    def publish(self, export: Export) -> dict[str, JSON]:
        require_taken(self, export)
        path = require_file(export)
        iqn = self._iqn(export.export_id)
        user = _user(export.export_id, export.connector.host)
        with self.daemon(DaemonFolder(self.path / FOLDER)) as tgt, _translated_tgt_errors():
            self._require_portal(tgt)
            targets = tgt.targets()
            there = next((target for target in targets if target.name == iqn), None)
            # The initiator comes last: without one, a call that was killed left a part.
            if there is None or not there.initiators:
                if there is not None:
                    _delete_target(tgt, there)
                number = min(set(range(1, len(targets) + 2)) - {each.number for each in targets})
                _create_target(tgt, Target(number, iqn, [user]), export, path)
        return connection_info(
            "iscsi",
            export,
            target_discovered=False,
            target_portal=self.portal,
            target_iqn=iqn,
            target_lun=UNIT,
            initiator_name=export.connector.initiator,  # for clients that can choose theirs: QEMU
            auth_method="CHAP",
            auth_username=user,
            auth_password=export.secret,
            discard=False,
        )

    @translated_os_errors()
    def revoke(self, export_id: str, *, host: str) -> None:
        iqn = self._iqn(require_uuid(export_id))
        with self.daemon_if_there(host) as tgt, _translated_tgt_errors():
            if tgt is not None:
                for target in tgt.targets():
                    if target.name == iqn:
                        _delete_target(tgt, target)
                _delete_account(tgt, _user(export_id, host))  # a call that was killed left it

    @translated_os_errors()
    def list_exports(self) -> list[Published]:
        published = []
        for folder in self.folders():
            with self.connected(folder) as tgt, _translated_tgt_errors():
                for target in [] if tgt is None else tgt.targets():
                    _, _, host = "".join(target.accounts).partition("@")
                    published.append(Published(self._export_id(target), host))
        return published

    def extend(self, export: Export) -> None:
        raise DriverError(
            "A volume cannot grow while it is attached over iSCSI.", code=Reason.unsupported
        )

    # The daemon

    def folder_for(self, host: str) -> DaemonFolder | None:
        return DaemonFolder(self.path / FOLDER)

    @contextmanager
    def connected(self, folder: DaemonFolder) -> Iterator[Tgt | None]:
        tgt = Tgt(_control(folder), timeout_s=WAIT_S)
        answers = False
        with _translated_tgt_errors(), suppress(FileNotFoundError, ConnectionError):
            tgt.portals()
            answers = True
        yield tgt if answers else None

    def export_ids(self, client: Tgt) -> Collection[str]:
        with _translated_tgt_errors():
            return [self._export_id(target) for target in client.targets()]

    def keep(self, folder: DaemonFolder) -> bool:
        return self._daemons.keep(
            folder.path,
            ["tgtd", "--foreground", "-t", str(THREADS), "--iscsi", f"portal={self.portal}"],
            environment={"TGT_IPC_SOCKET": str(folder.path / CONTROL)},
            before=self._require_free_port,
        )

    def _require_free_port(self) -> None:
        """Refuse a portal that is taken: tgtd would listen to the whole world instead."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self.options.portal_ip, self.options.portal_port))
            except OSError as error:
                raise DriverError(
                    "The address for iSCSI is not ours to listen on.",
                    code=Reason.unavailable,
                    retryable=True,
                    detail=f"{self.portal}: {error}",
                ) from error

    def _require_portal(self, tgt: Tgt) -> None:
        if (portals := tgt.portals()) != [self.portal]:
            raise DriverError(
                "The iSCSI daemon does not listen where it should.",
                code=Reason.unavailable,
                detail=f"{portals}, not {self.portal}",
            )

    # Names

    def _iqn(self, export_id: str) -> str:
        return f"{self.options.iqn_prefix}:{export_id}"

    def _export_id(self, target: Target) -> str:
        return target.name.removeprefix(f"{self.options.iqn_prefix}:")


def _user(export_id: str, host: str) -> str:
    return f"{export_id}@{host}"


def _control(folder: DaemonFolder) -> Path:
    return folder.path / f"{CONTROL}.0"


def _create_target(tgt: Tgt, target: Target, export: Export, path: Path) -> None:
    """Make a target with its account and disk, and then let the initiator in."""
    (user,) = target.accounts
    _delete_account(tgt, user)
    tgt.request(Mode.ACCOUNT, Op.NEW, f"user={user},password={export.secret}")
    tgt.request(Mode.TARGET, Op.NEW, f"targetname={target.name}", target=target.number)
    tgt.request(Mode.ACCOUNT, Op.BIND, f"user={user}", target=target.number)
    tgt.request(Mode.UNIT, Op.NEW, f"path={path},bstype=rdwr", target=target.number, unit=UNIT)
    # By the serial a host tells disks apart. tgtd's own says only the number of the target, which
    # the next volume gets too.
    serial = UUID(export.volume_id).hex
    parameters = f"vendor_id=KHOI,product_id=VOLUME,scsi_sn={serial},scsi_id={serial}"
    if export.read_only:
        parameters += ",readonly=1"
    tgt.request(Mode.UNIT, Op.UPDATE, f"targetOps {parameters},", target=target.number, unit=UNIT)
    tgt.request(
        Mode.TARGET, Op.BIND, f"initiator-name={export.connector.initiator}", target=target.number
    )


def _delete_target(tgt: Tgt, target: Target) -> None:
    """Cut off whoever is logged in, and forget the account."""
    tgt.request(Mode.TARGET, Op.DELETE, target=target.number, force=True)
    for user in target.accounts:
        _delete_account(tgt, user)


def _delete_account(tgt: Tgt, user: str) -> None:
    if user in tgt.accounts():
        tgt.request(Mode.ACCOUNT, Op.DELETE, f"user={user}")


@contextmanager
def _translated_tgt_errors() -> Iterator[None]:
    """Let what goes wrong with the daemon leave as the `DriverError` it means."""
    try:
        yield
    except TgtError as error:
        raise DriverError(
            "The iSCSI daemon refused to change the export.",
            code=Reason.failed,
            detail=str(error),
        ) from error
    except OSError as error:
        raise DriverError(
            "The iSCSI daemon does not answer.",
            code=Reason.unavailable,
            retryable=True,
            detail=str(error),
        ) from error
