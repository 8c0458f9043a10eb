"""`manage.py demo` with everything real: it shows what is so, and says when it is not."""

import os
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from storage_project.supervisor.clouds import Account
from storage_project.tour.client import Client
from tests.guests.saved import require_images
from tests.processes import descendants, is_running
from tests.stack import wait_until
from tests.supervisor.running import Up, own_database
from tests.tour.running import Demo

BEFORE_ATTACHING = [
    "Wait until every backend has told how much room it has",
    "Offer the type fast",
    "Offer the type slow",
    "Create a volume of 1 GiB, type fast",
    "Create a volume of 2 GiB, type slow",
    "Extend the one on fast to 3 GiB",
    "Take a snapshot of the volume of type fast",
    "Make a volume of the snapshot",
    "Make a volume of the volume as it is now",
    "Revert the volume to its snapshot",
    "Delete the two copies and the snapshot",
    "Create a volume of 1 GiB, on demo-small or slow",
    "Create a volume of 20 GiB, on demo-small only",
    "Delete the one that was not made",
]
ATTACHING_TO_THE_GUEST = [
    "Boot demo-guest",
    "Create a volume of 1 GiB, on demo-nbd",
    "Attach the volume of type demo-nbd to demo-guest",
    "In the guest, write 4 MiB to /dev/vda",
    "Extend it to 2 GiB while the guest uses it",
    "Detach it from demo-guest",
]
ATTACHING_WITHOUT_A_GUEST = [
    "Connect this host to the volume of type fast",
    "Write to that file",
    "Disconnect",
]
AFTER_ATTACHING = [
    "Create a volume of 1 GiB, and write 128 MiB to it",
    "Back it up",
    "Write 1,310 KiB of it anew, here and there",
    "Back it up again, incrementally",
    "Verify it: read all that it needs, and compare",
    "Collect the repository main: free what nothing needs, and measure",
    "Delete the volume",
    "Restore the second backup into a new volume",
    "Compare it with what was lost",
    "Delete the first backup, the second, and the restored volume",
    "Delete the volume of type fast",
    "Delete the volume of type slow",
]
WENT_WELL = "Every step did what it should"
ENDED_EARLY = "The tour ended early"
# The four steps of an operation, as they are shown with their times.
TOOK = r" \d+(\.\d)? m?s"
CREATED = f"validate{TOOK} → schedule{TOOK} → provision{TOOK} → report{TOOK}"
FELL_THROUGH = f"provision{TOOK} ✗ → provision{TOOK} → report{TOOK}"


@pytest.fixture
def home(tmp_path):
    return tmp_path


@pytest.fixture
def environment(tmp_path_factory):
    """Of every process in this home. No program is installed, so there is no guest."""
    nothing = tmp_path_factory.mktemp("bin")
    return {
        "STORAGE_CONFIG": "",
        "PATH": str(nothing),
        "DJANGO_SETTINGS_MODULE": "tests.settings_quick_to_sign_in",
        **own_database(),
    }


@pytest.fixture
def guest():
    """The environment in which there is a guest: programs are where they are."""
    require_images()
    return {"PATH": os.environ["PATH"]}


@pytest.fixture
def start_demo(home, environment):
    """Start a demo in this home, as often as one likes; none outlives the test."""
    demos = []

    def start(*, on_terminal=False, **more):
        demos.append(Demo(home, {**environment, **more}, on_terminal=on_terminal))
        return demos[-1]

    yield start
    for demo in demos:
        demo.process.kill()
        demo.process.wait()


def configure(home: Path, **backends: str) -> None:
    """Write a configuration of backends that keep files, each with its driver."""
    tables = [
        f'[backends.{name}]\ndriver = "{driver}"\npath = "backends/{name}"\n'
        for name, driver in backends.items()
    ]
    (home / "storage.toml").write_text("".join(tables))


def sign_in(up: Up, name: str) -> Client:
    return Client(up.url, Account(name, up.cloud(name)["password"], role=""))


def sign_in_to(demo: Demo) -> Client:
    """As the user demo, with what a demo that goes on serving has shown."""
    [password] = re.findall(r"Sign in as demo +(\S+)", demo.output)
    [url] = re.findall(r"API +(http\S+)/v3/", demo.output)
    return Client(url, Account("demo", password, role=""))


@contextmanager
def serving(home: Path, environment: Mapping[str, str]) -> Iterator[tuple[Client, Client]]:
    """The home with `up` running, as its two users see it."""
    up = Up(home, **environment)
    try:
        up.wait_until_up()
        yield sign_in(up, "admin"), sign_in(up, "demo")
        assert up.end() == 0
    finally:
        up.process.kill()
        up.process.wait()


def offer_type(admin: Client, name: str, *, backend: str) -> None:
    specs = {"volume_backend_name": backend}
    admin.post("/types", {"volume_type": {"name": name, "extra_specs": specs}})


def status_of(tenant: Client, volume_id: str) -> str:
    return tenant.get(f"/volumes/{volume_id}")["volume"]["status"]


def types_of(admin: Client) -> dict[str, Any]:
    return {each["name"]: each["extra_specs"] for each in admin.get("/types")["volume_types"]}


def files_in(home: Path) -> list[Path]:
    """What lies on the disks, the tour's own among them."""
    return [
        path
        for folder in ("backends", "demo")
        for path in (home / folder).rglob("*")
        if path.is_file()
    ]


def steps_in(output: str) -> list[str]:
    """The titles of the steps, as they are shown where nothing moves."""
    shown = [line for line in output.splitlines() if line.startswith(("✓ ", "✗ "))]
    return [line[2:68].rstrip() for line in shown]


def require_serving_on_a_terminal(demo: Demo) -> None:
    """On a terminal it goes on serving after the tour, until Ctrl-C."""
    demo.read_until("volume backend pool list")
    processes = descendants(demo.process.pid)
    assert sign_in_to(demo).get("/volumes") == {"volumes": []}
    assert re.search(r"curl --user demo:\S+ http\S+/v3/operations", demo.output)
    assert "server add volume" not in demo.output
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait() == 0
    assert WENT_WELL in demo.output
    assert not any(map(is_running, processes))
    # The cursor that the display hides is there again.
    assert demo.output.rfind("\x1b[?25h") > demo.output.rfind("\x1b[?25l") > 0


def test_the_tour_can_be_taken_again_and_leaves_two_types(home, environment, start_demo):
    demo = start_demo()
    assert demo.wait() == 0, demo.output
    assert steps_in(demo.output) == [
        *BEFORE_ATTACHING,
        *ATTACHING_WITHOUT_A_GUEST,
        *AFTER_ATTACHING,
    ]
    assert "QEMU is not installed (Debian: qemu-system-x86)." in demo.output
    assert len(re.findall(CREATED, demo.output)) == 21
    assert len(re.findall(FELL_THROUGH, demo.output)) == 1
    assert "No backend can take this volume of 20 GiB: " in demo.output
    assert WENT_WELL in demo.output
    assert files_in(home) == []
    require_serving_on_a_terminal(start_demo(on_terminal=True))
    assert files_in(home) == []
    with serving(home, environment) as (admin, tenant):
        assert types_of(admin) == {
            "fast": {"volume_backend_name": "fast"},
            "slow": {"volume_backend_name": "slow"},
            "__DEFAULT__": {},
        }
        assert tenant.get("/volumes")["volumes"] == []
        assert tenant.get("/limits")["limits"]["absolute"]["totalGigabytesUsed"] == 0
        backends = admin.get("/os-services", binary="cinder-volume")["services"]
        assert [each["host"].partition("@")[2] for each in backends] == ["fast", "slow"]


def test_a_guest_uses_a_volume(home, start_demo, guest):
    demo = start_demo(**guest)
    assert demo.wait() == 0, demo.output
    assert steps_in(demo.output) == [
        *BEFORE_ATTACHING,
        *ATTACHING_TO_THE_GUEST,
        *AFTER_ATTACHING,
    ]
    assert "the guest has found /dev/vda, 1 GiB, by the serial" in demo.output
    assert "the guest sees that /dev/vda has 2 GiB" in demo.output
    assert re.search(rf"server.attach: {CREATED}", demo.output)
    assert files_in(home) == []


def test_the_guest_runs_on_while_it_serves_and_is_gone_afterwards(
    home, environment, start_demo, guest
):
    demo = start_demo(on_terminal=True, **guest)
    demo.read_until("openstack --os-cloud demo server add volume demo-guest mine")
    assert WENT_WELL in demo.output
    processes = descendants(demo.process.pid)
    tenant = sign_in_to(demo)
    [server] = tenant.at("/compute/v2.1").get("/servers/detail")["servers"]
    assert (server["name"], server["status"]) == ("demo-guest", "ACTIVE")
    volume = tenant.post("/volumes", {"volume": {"size": 1, "name": "mine"}})["volume"]
    wait_until(lambda: status_of(tenant, volume["id"]) == "available", "the volume")
    tenant.at("/compute/v2.1").post(
        f"/servers/{server['id']}/os-volume_attachments",
        {"volumeAttachment": {"volumeId": volume["id"]}},
    )
    wait_until(lambda: status_of(tenant, volume["id"]) == "in-use", "it to be attached")
    demo.process.send_signal(signal.SIGINT)
    assert demo.wait() == 0
    assert not any(map(is_running, processes))
    with serving(home, environment) as (admin, tenant):
        backends = admin.get("/os-services", binary="cinder-volume")["services"]
        assert [each["host"].partition("@")[2] for each in backends] == ["fast", "slow"]
        assert tenant.at("/compute/v2.1").get("/servers") == {"servers": []}
        assert status_of(tenant, volume["id"]) == "available"
        assert tenant.get("/attachments") == {"attachments": []}


def test_a_guest_that_is_interrupted_leaves_nothing_attached(home, start_demo, guest):
    demo = start_demo(**guest)
    demo.read_until("Attach the volume of type demo-nbd to demo-guest")
    processes = descendants(demo.process.pid)
    demo.process.terminate()
    assert demo.wait() == 1
    assert not any(map(is_running, processes))
    again = start_demo()
    assert again.wait() == 0, again.output
    assert "Delete what a tour has left: volumes, " in again.output
    assert files_in(home) == []


def test_a_step_that_does_not_do_what_it_says_fails_the_tour(home, start_demo):
    configure(home, fast="tests.tour.drivers.LyingDriver", slow="file")
    demo = start_demo()
    assert demo.wait() == 1
    assert "Not so: it is 3 GiB long" in demo.output
    assert ENDED_EARLY in demo.output
    assert "Delete what a tour has left: volumes, 2" in demo.output
    assert files_in(home) == []


def test_one_that_is_interrupted_has_failed_and_the_next_one_tidies_up(home, start_demo):
    demo = start_demo()
    demo.read_until("Create a volume of 1 GiB, type fast")
    demo.process.terminate()
    assert demo.wait() == 1
    assert files_in(home) != []
    again = start_demo()
    assert again.wait() == 0, again.output
    assert "Delete what a tour has left: volumes, " in again.output
    assert files_in(home) == []


def test_an_operators_home_is_left_as_it_was(home, environment, start_demo):
    configure(home, nvme="file", hdd="file", tape="file")
    with serving(home, environment) as (admin, tenant):
        offer_type(admin, "nvme", backend="nvme")
        volume = tenant.post("/volumes", {"volume": {"size": 1, "name": "payroll"}})["volume"]
        wait_until(lambda: status_of(tenant, volume["id"]) == "available", "the volume")
        [file] = files_in(home)
        file.write_bytes(b"Alice 1000")
    demo = start_demo(DEMO_EXIT="1", on_terminal=True)
    assert demo.wait() == 0, demo.output  # asked to end, also on a terminal
    assert WENT_WELL in demo.output
    assert "Sign in as" not in demo.output
    assert "Create a volume of 2 GiB, type hdd" in demo.output
    assert files_in(home) == [file]
    assert file.read_bytes() == b"Alice 1000"
    with serving(home, environment) as (admin, tenant):
        assert status_of(tenant, volume["id"]) == "available"
        assert types_of(admin).keys() == {"nvme", "hdd", "__DEFAULT__"}


def test_a_type_that_is_somebody_elses_ends_the_tour(home, environment, start_demo):
    with serving(home, environment) as (admin, _):
        offer_type(admin, "slow", backend="fast")
        beside = start_demo()
        assert beside.wait() == 1
        assert f"CommandError: Khoi runs already in {home}" in beside.output
    demo = start_demo()
    assert demo.wait() == 1
    assert "There is a type slow already, for something else" in demo.output


def test_too_few_backends_are_a_reason_to_fail(home, start_demo):
    configure(home, only="file")
    demo = start_demo()
    assert demo.wait() == 1
    assert 'The tour needs two backends with driver = "file"' in demo.output


def test_a_backend_of_the_same_name_is_not_touched(home, start_demo):
    configure(home, **{"fast": "file", "demo-small": "file"})
    demo = start_demo()
    assert demo.wait() == 1
    assert "CommandError: backends.demo-small: small_disk.toml has one too" in demo.output
    assert files_in(home) == []
