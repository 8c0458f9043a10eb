"""The domains of a libvirt daemon.

libvirt answers that a disk was detached when it only asked the guest: what the domain's own
description says is the truth, so that is read again until the disk is not in it.

A guest whose export is away is stopped meanwhile (see `libvirt_disks.go_on`). Servers are listed
all the time, and that is when such a guest goes on.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from drivers.errors import DriverError, Reason
from drivers.hypervisor import libvirt_disks
from drivers.hypervisor.base import (
    Disk,
    HypervisorDriver,
    ServerInfo,
    ServerStatus,
    serial_of,
)
from drivers.hypervisor.checks import no_such_disk, no_such_server, not_running
from drivers.hypervisor.libvirt_binding import libvirt_binding
from drivers.options import Option
from drivers.volume.base import JSON
from drivers.volume.checks import is_uuid, require_uuid

POLL_S = 0.05
ASK_AGAIN_S = 5.0
KIB_PER_MIB = 1024


class LibvirtDriver(HypervisorDriver):
    """The servers are all domains, also those that are off."""

    @dataclass(frozen=True, kw_only=True)
    class Options:
        uri: Annotated[str, Option("where libvirt answers")] = "qemu:///system"

    options: Options

    def __init__(self, options: Options, *, name: str, home: Path) -> None:
        super().__init__(options, name=name, home=home)

    def check(self) -> None:
        with self._connection():
            pass

    def list_servers(self) -> list[ServerInfo]:
        libvirt = libvirt_binding().libvirt
        servers = []
        with self._connection() as connection:
            for domain in connection.listAllDomains():
                with suppress(libvirt.libvirtError):  # it went while we looked
                    libvirt_disks.go_on(domain)
                    servers.append(_info(domain))
        return servers

    def list_disks(self, server_id: str) -> list[Disk]:
        with self._domain(server_id) as domain:
            return libvirt_disks.find_all(domain)

    def attach(
        self,
        server_id: str,
        volume_id: str,
        connection_info: Mapping[str, JSON],
        *,
        read_only: bool = False,
    ) -> Disk:
        serial = serial_of(require_uuid(volume_id))
        with self._domain(server_id) as domain:
            if not domain.isActive():
                raise not_running()
            return libvirt_disks.plug_in(domain, serial, connection_info, read_only=read_only)

    def detach(self, server_id: str, serial: str, *, wait_s: float) -> bool:
        start = time.monotonic()
        asked_at: float | None = None
        try:
            with self._domain(server_id) as domain:
                while libvirt_disks.is_plugged_in(domain, serial):
                    now = time.monotonic()
                    if asked_at is None or now > asked_at + ASK_AGAIN_S:
                        libvirt_disks.ask_for(domain, serial)
                        asked_at = now
                    elif now > start + wait_s:
                        return False
                    else:
                        time.sleep(POLL_S)
        except DriverError as error:
            if error.code != Reason.not_found:
                raise
        return True

    def extend(self, server_id: str, serial: str, size_bytes: int) -> None:
        with self._domain(server_id) as domain:
            if not libvirt_disks.grow(domain, serial, size_bytes):
                raise no_such_disk(serial)

    # libvirt

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """A connection for one act: no fork inherits it, and no daemon's restart breaks it."""
        libvirt = libvirt_binding().libvirt
        try:
            connection = libvirt.open(self.options.uri)
        except libvirt.libvirtError as error:
            raise silent(error) from error
        try:
            yield connection
        except libvirt.libvirtError as error:
            if not _is_alive(connection):
                raise silent(error) from error
            # A daemon that has just been started may not have found its servers yet.
            may_pass = error.get_error_code() in (
                libvirt.VIR_ERR_OPERATION_TIMEOUT,
                libvirt.VIR_ERR_OPERATION_FAILED,
                libvirt.VIR_ERR_INTERNAL_ERROR,
                libvirt.VIR_ERR_SYSTEM_ERROR,
                libvirt.VIR_ERR_RPC,
            )
            raise DriverError(
                "The hypervisor refused.",
                code=Reason.failed,
                retryable=may_pass,
                detail=str(error),
            ) from error
        finally:
            with suppress(libvirt.libvirtError):
                connection.close()

    @contextmanager
    def _domain(self, server_id: str) -> Iterator[Any]:
        """A server. Raises `not_found`, also when it goes away in the meantime."""
        if not is_uuid(server_id):
            raise no_such_server(server_id)
        libvirt = libvirt_binding().libvirt
        with self._connection() as connection:
            try:
                yield connection.lookupByUUIDString(server_id)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                    raise
                raise no_such_server(server_id) from error


def silent(error: Exception) -> DriverError:
    return DriverError(
        "The hypervisor does not answer.",
        code=Reason.unavailable,
        retryable=True,
        detail=str(error),
    )


def _is_alive(connection: Any) -> bool:
    try:
        connection.getLibVersion()
    except libvirt_binding().libvirt.libvirtError:
        return False
    return True


def _info(domain: Any) -> ServerInfo:
    libvirt = libvirt_binding().libvirt
    state, memory_kib, _, vcpus, _ = domain.info()
    status = {
        libvirt.VIR_DOMAIN_RUNNING: ServerStatus.ACTIVE,
        libvirt.VIR_DOMAIN_BLOCKED: ServerStatus.ACTIVE,
        libvirt.VIR_DOMAIN_SHUTDOWN: ServerStatus.ACTIVE,  # on the way, and still there
        libvirt.VIR_DOMAIN_PAUSED: ServerStatus.PAUSED,
        libvirt.VIR_DOMAIN_PMSUSPENDED: ServerStatus.PAUSED,
        libvirt.VIR_DOMAIN_SHUTOFF: ServerStatus.SHUTOFF,
    }
    return ServerInfo(
        server_id=domain.UUIDString(),
        name=domain.name(),
        status=status.get(state, ServerStatus.ERROR),
        vcpus=vcpus,
        memory_mib=memory_kib // KIB_PER_MIB,
    )
