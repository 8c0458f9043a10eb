"""A simulated export of simulated volumes, with faults on demand; see `drivers.faults`.

Threads share it; another process has its own, and all is forgotten when the process ends.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from drivers.export.base import Connector, Export, ExportDriver, Published
from drivers.export.checks import require_taken
from drivers.export.connection import connection_info
from drivers.faults import FaultOptions, Faults, faulty, faulty_when_planned
from drivers.volume.base import JSON
from drivers.volume.checks import require_uuid


class MemoryExport(ExportDriver):
    """Remembers what was published, which reaches nothing."""

    protocol = "memory"
    has_secret = True
    fences = True
    extends_in_use = True

    @dataclass(frozen=True, kw_only=True)
    class Options(FaultOptions):
        pass

    options: Options

    def __init__(self, options: Options, *, name: str, home: Path) -> None:
        super().__init__(options, name=name, home=home)
        self.faults = Faults(options)
        self._lock = threading.Lock()
        self._exports: dict[str, Export] = {}

    @faulty_when_planned
    def check(self) -> None:
        pass

    def refusal(self, hints: Mapping[str, JSON], connector: Connector) -> str | None:
        return None if hints.get("kind") == "memory" else "is for simulated volumes"

    @faulty
    def publish(self, export: Export) -> dict[str, JSON]:
        require_taken(self, export)
        with self._lock:
            there = self._exports.setdefault(export.export_id, export)
        return connection_info(
            "memory",
            there,
            export=there.export_id,
            auth_method="CHAP",
            auth_username=there.export_id,
            auth_password=there.secret,
        )

    @faulty
    def revoke(self, export_id: str, *, host: str) -> None:
        with self._lock:
            self._exports.pop(require_uuid(export_id), None)

    @faulty_when_planned
    def list_exports(self) -> list[Published]:
        with self._lock:
            return [
                Published(export_id, each.connector.host)
                for export_id, each in self._exports.items()
            ]

    @faulty
    def extend(self, export: Export) -> None:
        require_uuid(export.export_id)
