"""The interface of export drivers. Every driver passes `tests.contracts.export_driver`.

An export makes one volume reachable for one attachment, and is known by the attachment's id. What
is wanted is a row of the database; the driver makes it so. So every act is idempotent: what is
already published is left as it is, what is already gone is revoked. Failure is a `DriverError`
whose sentence a user may read; nothing else escapes.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from drivers.volume.base import JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """What a client host says about itself when it attaches: the part that exports look at."""

    host: str
    initiator: str = ""  # its iSCSI qualified name
    ip: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """An export that is wanted."""

    export_id: str  # the attachment's
    volume_id: str
    hints: Mapping[str, JSON]  # what `VolumeDriver.export_hints` said
    connector: Connector
    read_only: bool = False
    secret: str = field(default="", repr=False)  # its own password, where the protocol has one


@dataclass(frozen=True, slots=True, order=True)
class Published:
    """An export that is there, whatever the database says."""

    export_id: str
    host: str  # the connector's


class ExportDriver(ABC):
    """One protocol, on the machine that reaches the volumes. Several processes may use it at once.

    One that needs daemons does not start them: `tend()` does, in the one process that supervises
    them (`manage.py exports`), and `publish` waits for that, within limits.
    """

    Options: ClassVar[type[Any]]  # the dataclass of `[exports.<name>]`; see `drivers.options`
    protocol: ClassVar[str]
    # Whether each export has a password of its own, which `publish` is given and returns.
    has_secret: ClassVar[bool] = False
    # Whether there are daemons to supervise; without them `tend` has nothing to do.
    has_daemons: ClassVar[bool] = False
    # Whether `revoke` cuts off a client that still has the volume open.
    fences: ClassVar[bool] = False
    # Whether a volume can grow while it is exported and in use.
    extends_in_use: ClassVar[bool] = False

    def __init__(self, options: Any, *, name: str, home: Path) -> None:
        """Remember, touch nothing. `home` is the folder of all state; daemons live below it."""
        self.options = options
        self.name = name
        self.home = home

    @abstractmethod
    def check(self) -> None:
        """Raise `DriverError` when it cannot be used: a program is missing, say."""

    @abstractmethod
    def refusal(self, hints: Mapping[str, JSON], connector: Connector) -> str | None:
        """Why this protocol cannot take this volume to this host; None when it can.

        Continues a sentence that begins with the protocol ("nbd" "is for hosts …"). Looks at its
        arguments alone.
        """

    @abstractmethod
    def publish(self, export: Export) -> dict[str, JSON]:
        """Make the export and return its connection_info; one that is there is left as it is.

        The form is os-brick's: `{"driver_volume_type": …, "data": {…}}`. Raises `unavailable`
        (retryable) while its daemon is not there, `not_found` when the volume is not.
        """

    @abstractmethod
    def revoke(self, export_id: str, *, host: str) -> None:
        """Take the export away, also from a client that uses it where the driver `fences`."""

    @abstractmethod
    def list_exports(self) -> list[Published]:
        """Every export that is there. What needs no daemon has none to list."""

    @abstractmethod
    def extend(self, export: Export) -> None:
        """Let the clients of an export see that its volume has grown.

        Called after `VolumeDriver.extend_volume`. Raises `unsupported` unless `extends_in_use`.
        """

    def tend(self, hosts: Collection[str]) -> bool:
        """Start what should run and does not, for exports to these hosts; called all the time.

        True when it has started a daemon: that is empty, and the caller publishes what is wanted.
        """
        return False

    def close(self) -> None:  # noqa: B027 - most have no daemons
        """Stop the daemons that `tend` of this very object started."""
