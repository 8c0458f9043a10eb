"""One site for all tests here, and guests that were booted once. Each test leaves it as it was."""

import logging
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.attach.server import Server, libvirt_server, qemu_server
from tests.attach.site import REFLINK, Site
from tests.drivers.volume.disks import REFLINK_DISKS, ReflinkDisks
from tests.guests.libvirt_daemon import LibvirtDaemon, libvirt_daemon
from tests.guests.saved import SavedGuest, short_folder

log = logging.getLogger(__name__)


@pytest.fixture(scope="package")
def home() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="package")
def saved_guest(tmp_path_factory: pytest.TempPathFactory) -> SavedGuest:
    return SavedGuest(tmp_path_factory.mktemp("guests"))


@pytest.fixture(scope="package")
def site(saved_guest: SavedGuest, home: Path) -> Iterator[Site]:
    folder = home / "libvirt"
    with Site(home, libvirt_uri=LibvirtDaemon.uri_in(folder)) as site:
        yield site


@pytest.fixture(scope="package")
def site_with_reflink(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site with one more backend, where files can share blocks."""
    with ExitStack() as stack:
        disks = ReflinkDisks(tmp_path_factory.mktemp("disks"), stack)
        folder = tempfile.TemporaryDirectory(dir=disks.folder(REFLINK_DISKS[0]))
        (site.home / "volumes" / REFLINK).symlink_to(stack.enter_context(folder))
        site.add_backend(REFLINK)
        yield site
        # Whatever still holds its files open ends before the disk goes away.
        for name in ("exports", f"volume-{REFLINK}"):
            site.processes[name].kill()


@pytest.fixture(scope="package")
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
