"""What libvirt is told to plug a disk into a domain, to grow it, and to unplug it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from drivers.errors import DriverError
from drivers.hypervisor.base import Disk
from drivers.hypervisor.block_node import is_listening
from drivers.hypervisor.checks import (
    former_disk,
    free_device,
    grows_later,
    in_use_elsewhere,
    leads_to,
    no_slot,
    not_built_in,
    not_grown,
    not_opened,
    not_running,
)
from drivers.hypervisor.libvirt_binding import libvirt_binding
from drivers.hypervisor.libvirt_xml import (
    ALIAS,
    PluggedDisk,
    disk_xml,
    iscsi_password,
    plugged_disks,
    secret_xml,
)
from drivers.volume.base import JSON


def find_all(domain: Any) -> list[Disk]:
    """Our disks, also those that the guest was asked to release."""
    return [_disk(each) for each in _plugged(domain) if each.serial]


def is_plugged_in(domain: Any, serial: str) -> bool:
    """Whether the domain still has a disk."""
    return any(each.serial == serial for each in _plugged(domain))


def plug_in(
    domain: Any, serial: str, connection_info: Mapping[str, JSON], *, read_only: bool
) -> Disk:
    """Give the guest a disk, or leave the one that it has."""
    libvirt = libvirt_binding().libvirt
    plugged = _plugged(domain)
    for each in plugged:
        if each.serial == serial:
            if not leads_to(connection_info, each.source):
                ask_for(domain, serial)
                raise former_disk(each.source)
            return _disk(each)
    device = free_device({f"/dev/{each.target}" for each in plugged})
    secret = f"khoi-{domain.UUIDString()}-{serial}"
    xml = disk_xml(
        connection_info,
        serial=serial,
        target=device.removeprefix("/dev/"),
        secret_usage=secret,
        read_only=read_only,
    )
    try:
        with _secret(domain.connect(), secret, iscsi_password(connection_info)):
            domain.attachDeviceFlags(xml, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    except libvirt.libvirtError as error:
        for each in _plugged(domain):
            if each.serial == serial:
                return _disk(each)  # another call was faster
        raise _refused(error) from error
    return Disk(serial=serial, device=device)


def ask_for(domain: Any, serial: str) -> None:
    """Ask the guest to release a disk; it may have been asked before."""
    libvirt = libvirt_binding().libvirt
    try:
        domain.detachDeviceAlias(ALIAS + serial, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    except libvirt.libvirtError as error:
        expected = (libvirt.VIR_ERR_DEVICE_MISSING, libvirt.VIR_ERR_OPERATION_INVALID)
        if error.get_error_code() in expected or "in the process of unplug" in str(error):
            return  # gone, off, or asked already: the next look tells
        raise


def grow(domain: Any, serial: str, size_bytes: int) -> bool:
    """Tell the guest that a disk is this large now, never smaller; False when it has none."""
    for each in _plugged(domain):
        if each.serial == serial:
            seen_bytes, _, _ = domain.blockInfo(each.target)
            if seen_bytes <= size_bytes:  # the guest may not have been told of an equal one
                # QEMU would cut a file to a size that is out of date.
                _resize(domain, each, max(size_bytes, _file_size(each.path)))
            go_on(domain)
            return True
    return False


def go_on(domain: Any) -> None:
    """Let a guest go on that was stopped because an export was away, once it is back."""
    libvirt = libvirt_binding().libvirt
    if domain.state() == [libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_IOERROR]:
        sockets = {each.nbd_socket for each in _plugged(domain) if each.serial} - {""}
        if sockets and all(is_listening(path) for path in sockets):
            domain.resume()


def _plugged(domain: Any) -> list[PluggedDisk]:
    return plugged_disks(domain.XMLDesc()) if domain.isActive() else []


def _disk(plugged: PluggedDisk) -> Disk:
    return Disk(serial=plugged.serial, device=f"/dev/{plugged.target}")


def _file_size(path: str) -> int:
    """The size of a regular file, 0 of anything else."""
    return os.stat(path).st_size if path and Path(path).is_file() else 0


def _refused(error: Exception) -> DriverError:
    """Why an attach was refused; libvirt has no codes for these."""
    text = str(error)
    if "No more available PCI slots" in text:
        return no_slot()
    if "domain is not running" in text:
        return not_running()
    if "Unknown driver" in text:
        return not_built_in(text)
    if " lock" in text:
        return in_use_elsewhere(text)
    return not_opened(text)


@contextmanager
def _secret(connection: Any, usage: str, password: str | None) -> Iterator[None]:
    """For the block, let libvirt know a password; QEMU keeps it after that."""
    if password is None:
        yield
        return
    libvirt = libvirt_binding().libvirt
    kind = libvirt.VIR_SECRET_USAGE_TYPE_ISCSI
    with suppress(libvirt.libvirtError):  # a killed call may have left it
        connection.secretLookupByUsage(kind, usage).undefine()
    secret = connection.secretDefineXML(secret_xml(usage))
    try:
        secret.setValue(password.encode())
        yield
    finally:
        with suppress(libvirt.libvirtError):
            secret.undefine()


def _resize(domain: Any, disk: PluggedDisk, size_bytes: int) -> None:
    binding = libvirt_binding()
    libvirt = binding.libvirt
    bytes_flag = libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES
    try:
        domain.blockResize(disk.target, size_bytes, bytes_flag)
    except libvirt.libvirtError as error:
        if "readonly" in str(error):
            raise grows_later(str(error)) from error
        if "Cannot grow NBD nodes" not in str(error):
            raise
        if not is_listening(disk.nbd_socket):
            raise not_grown(str(error)) from error
        # The client of an NBD export learns the new size when it connects anew, which it does
        # when there is something to read. libvirt itself has no call that reads.
        line = f'qemu-io -d /machine/peripheral/{ALIAS}{disk.serial}/virtio-backend "read 0 512"'
        hmp = binding.qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP
        try:
            binding.qemu.qemuMonitorCommand(domain, line, hmp)
            domain.blockResize(disk.target, size_bytes, bytes_flag)
        except libvirt.libvirtError as again:
            raise not_grown(str(again)) from again
