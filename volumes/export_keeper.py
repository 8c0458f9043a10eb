"""Keeps the exports of this machine as the rows want them, whatever dies.

What is attached is published by the operation that attaches, and revoked by the one that detaches.
This loop brings back what was lost with a daemon, takes away what an operation that died left, and
supervises the daemons, which are its children.
"""

import threading
import time
from collections.abc import Iterable

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections

from drivers.errors import ConfigurationError, DriverError
from drivers.export.base import ExportDriver, Published
from storage_project.config import configuration
from volumes.attachment_exports import describe_export
from volumes.exports import open_export
from volumes.models import Attachment

TEND_EVERY_S = 0.1
LOOK_EVERY_S = 1.0

log = structlog.get_logger(__name__)


class ExportKeeper:
    """The loop. It keeps those exports of this machine that have daemons."""

    def __init__(self) -> None:
        exports = configuration().exports.values()
        names = [export.name for export in exports if export.driver_class.has_daemons]
        self._exports = {name: open_export(name) for name in names}
        self._hosts: dict[str, set[str]] = {name: set() for name in names}
        self.stopping = threading.Event()

    def run(self) -> None:
        """Go on until `stopping` is set; then stop the daemons."""
        look_at = 0.0
        try:
            while not self.stopping.wait(TEND_EVERY_S):
                died = self._tend()
                if died or time.monotonic() >= look_at:
                    look_at = time.monotonic() + LOOK_EVERY_S
                    self._look_around()
        finally:
            for export in self._exports.values():
                export.close()

    def _look_around(self) -> None:
        close_old_connections()
        try:
            for name in self._exports:
                self.reconcile(name)
        except (DatabaseError, InterfaceError) as error:
            log.warning("the database is away", error=str(error))

    def _tend(self) -> bool:
        """Start what should run; whether something had died."""
        died = False
        for name, export in self._exports.items():
            try:
                died |= export.tend(self._hosts[name])
            except DriverError as error:
                _complain(name, error)
        return died

    def reconcile(self, name: str) -> None:
        """Make the exports of one protocol be what its rows want."""
        export = self._exports[name]
        try:
            # In this order: what is published now was wanted before, and if it is not any more when
            # the rows are read, it has been detached.
            there = set(export.list_exports())
            wanted = {_published(attachment): attachment for attachment in wanted_of(name)}
            self._hosts[name] = {each.host for each in wanted}
            for published in there - wanted.keys():
                log.warning("an export that nobody wants is revoked", export=published.export_id)
                export.revoke(published.export_id, host=published.host)
            # What is published below waits for its daemon, which nobody but us starts.
            export.tend(self._hosts[name])
        except DriverError as error:
            _complain(name, error)
            return
        _publish(name, export, (row for key, row in wanted.items() if key not in there))


def wanted_of(name: str) -> list[Attachment]:
    """The attachments of volumes of this machine that want this export."""
    here = f"{settings.STORAGE_HOST}@"
    wanted = Attachment.objects.filter(export=name, wanted=True).select_related("volume__pool")
    return list(wanted.filter(volume__pool__service__host__startswith=here).defer(None))


def _published(attachment: Attachment) -> Published:
    assert attachment.host_name is not None, "only what has a connector is wanted"
    return Published(str(attachment.pk), attachment.host_name)


def _publish(name: str, export: ExportDriver, missing: Iterable[Attachment]) -> None:
    for attachment in missing:
        try:
            export.publish(describe_export(attachment))
        except (DriverError, ConfigurationError) as error:
            _complain(name, error, attachment)


def _complain(
    name: str, error: DriverError | ConfigurationError, attachment: Attachment | None = None
) -> None:
    log.warning(
        "an export is not as it should be",
        export=name,
        attachment=attachment and str(attachment.pk),
        error=str(error),
        detail=getattr(error, "detail", ""),
    )
