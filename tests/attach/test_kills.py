"""Whatever is killed while volumes are attached and detached: all is as wanted afterwards."""

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from random import Random

import pytest

from tests.attach.counting import counted
from tests.attach.server import Server
from tests.attach.site import Site
from tests.guests.libvirt_daemon import LibvirtDaemon

LONGEST_PAUSE_S = 0.5  # about as long as it takes to attach, and to detach
PATTERN_BYTES = 600
SECTORS = 16

log = logging.getLogger(__name__)


def test_killed_at_any_moment_all_is_as_wanted(site: Site, qemu: Server, seed: int) -> None:
    victims: dict[str, Callable[[], None]] = {
        "the storage daemon": lambda: kill_daemons(site, "nbd"),
        "exports": lambda: restart(site, "exports"),
        "the volume worker": lambda: restart(site, "volume"),
        "the compute worker": lambda: restart(site, "compute"),
    }
    live_through(site, qemu, "nbd", victims, Random(seed))


def test_killed_at_any_moment_over_iscsi(site: Site, qemu: Server, seed: int) -> None:
    victims = {"tgtd": lambda: kill_daemons(site, "iscsi")}
    live_through(site, qemu, "iscsi", victims, Random(seed))


def test_killed_at_any_moment_with_libvirt(
    site: Site, libvirt: Server, daemon: LibvirtDaemon, seed: int
) -> None:
    def kill_libvirt() -> None:
        daemon.kill()
        daemon.start()

    victims = {
        "libvirtd": kill_libvirt,
        "the compute worker": lambda: restart(site, "compute"),
    }
    live_through(site, libvirt, "file", victims, Random(seed))


@pytest.mark.parametrize(
    ("export", "victim"), [("nbd", "daemon"), ("nbd", "exports"), ("iscsi", "daemon")]
)
def test_writes_that_wait_for_their_export_land(
    site: Site, qemu: Server, export: str, victim: str
) -> None:
    volume_id = site.create_volume(export)
    site.attach(qemu.server_id, volume_id)
    site.wait_for_volume(volume_id, "in-use")
    with qemu.counting(volume_id, sectors=SECTORS) as counter:
        counter.wait_for(SECTORS)
        if victim == "daemon":
            kill_daemons(site, export)
        else:
            restart(site, victim)
        # A write that fails would be the last one.
        counter.wait_for(counter.now() + 2 * SECTORS)
    site.detach(qemu.server_id, volume_id)
    site.wait_for_volume(volume_id, "available")
    assert counted(site.volume_file(volume_id), SECTORS) == counter.last


def live_through(
    site: Site,
    server: Server,
    export: str,
    victims: dict[str, Callable[[], None]],
    random: Random,
) -> None:
    """Attach and detach a volume until each victim was killed in both, at some moment."""
    volume_id = site.create_volume(export)
    deck = list(product(victims, ["attach", "detach"]))
    random.shuffle(deck)
    for number, (victim, act) in enumerate(deck):
        pattern = random.randbytes(PATTERN_BYTES)
        offset = number * PATTERN_BYTES

        def strike(now: str, victim: str = victim, act: str = act) -> None:
            if now == act:
                pause_s = random.uniform(0, LONGEST_PAUSE_S)
                log.warning("%s killed %.3f s after %s", victim, pause_s, act)
                time.sleep(pause_s)
                victims[victim]()

        site.attach(server.server_id, volume_id)
        strike("attach")
        site.wait_for_volume(volume_id, "in-use")
        assert server.has_disk(volume_id)
        server.write(volume_id, offset, pattern)
        site.detach(server.server_id, volume_id)
        strike("detach")
        site.wait_for_volume(volume_id, "available")
        site.require_nothing_exported()
        assert not server.has_disk(volume_id)
        assert site.read(volume_id, offset, PATTERN_BYTES) == pattern


def kill_daemons(site: Site, export: str) -> None:
    """`kill -9` of what serves an export, if anything does just now."""
    for daemon in site.daemons(export):
        with suppress(ProcessLookupError):
            os.kill(daemon, signal.SIGKILL)


def restart(site: Site, name: str) -> None:
    """`kill -9` of a process and all its children; whoever supervises it starts it again."""
    site.processes[name].kill()
    site.processes[name].start()
