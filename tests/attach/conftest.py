"""One site for all tests here, and guests that were booted once. Each test leaves it as it was."""

import logging
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attach.server import Server, libvirt_server, qemu_server
from tests.attach.site import Site
from tests.guests.libvirt_daemon import LibvirtDaemon, libvirt_daemon
from tests.guests.saved import SavedGuest, short_folder

log = logging.getLogger(__name__)


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def saved_guest(tmp_path_factory: pytest.TempPathFactory) -> SavedGuest:
    return SavedGuest(tmp_path_factory.mktemp("guests"))


@pytest.fixture(scope="session")
def site(saved_guest: SavedGuest, home: Path) -> Iterator[Site]:
    folder = home / "libvirt"
    with Site(home, libvirt_uri=LibvirtDaemon.uri_in(folder)) as site:
        yield site


@pytest.fixture(scope="session")
def daemon(home: Path) -> Iterator[LibvirtDaemon]:
    with libvirt_daemon(home / "libvirt") as daemon:
        yield daemon


@pytest.fixture(scope="module")
def qemu(site: Site, saved_guest: SavedGuest) -> Iterator[Server]:
    """A server of QEMU for the tests of a module; when they are done, all must agree."""
    with qemu_server(site, saved_guest) as server:
        yield server
        site.wait_until_all_ended()
        site.require_nothing_exported()
        site.audit()


@pytest.fixture(scope="module")
def libvirt(site: Site, daemon: LibvirtDaemon) -> Iterator[Server]:
    """The same of libvirt."""
    with libvirt_server(site, daemon) as server:
        yield server
        site.wait_until_all_ended()
        site.require_nothing_exported()
        site.audit()


@pytest.fixture
def seed() -> int:
    """What all chance in a test comes from; pytest shows it when the test fails."""
    number = int(os.environ.get("CHAOS_SEED") or secrets.randbits(32))
    log.warning("CHAOS_SEED=%d", number)
    return number
