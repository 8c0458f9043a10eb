"""Volumes that are files, for servers on the machine that holds the files: nothing in between."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from drivers.export.base import Connector, Export, ExportDriver, Published
from drivers.export.checks import require_file, require_taken
from drivers.export.connection import connection_info
from drivers.options import Option
from drivers.volume.base import JSON


class FileExport(ExportDriver):
    """Tells the path of the file. There is nothing to start, to stop, or to cut off."""

    protocol = "file"
    extends_in_use = True

    @dataclass(frozen=True, kw_only=True)
    class Options:
        host: Annotated[str, Option("the only host that may attach; empty for any")] = ""

    options: Options

    def __init__(self, options: Options, *, name: str, home: Path) -> None:
        super().__init__(options, name=name, home=home)

    def check(self) -> None:
        pass  # the volume driver has looked at its folder

    def refusal(self, hints: Mapping[str, JSON], connector: Connector) -> str | None:
        if hints.get("kind") != "file":
            return "is for volumes that are files"
        if self.options.host and connector.host != self.options.host:
            return "is for servers on the machine that holds the volume"
        return None

    def publish(self, export: Export) -> dict[str, JSON]:
        require_taken(self, export)
        path = require_file(export)
        # Named after the one type that needs no privilege on the host and that Nova gives to the
        # guest as a file: it takes its `local` for a block device.
        return connection_info("gpfs", export, device_path=str(path), discard=True)

    def revoke(self, export_id: str, *, host: str) -> None:
        pass

    def list_exports(self) -> list[Published]:
        return []

    def extend(self, export: Export) -> None:
        require_file(export)  # which has grown already
