"""`manage.py up` with everything real: it serves, mends itself, and leaves nothing behind."""

import os
import signal
import socket
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest
from celery import Celery
from django.conf import settings

from tests.processes import descendants, is_running, pss_mib
from tests.stack import wait_until
from tests.supervisor.running import Up, own_database

THREE_BACKENDS = "".join(
    f'[backends.{name}]\ndriver = "file"\npath = "backends/{name}"\n'
    for name in ("fast", "slow", "cold")
)
SERVICES = [
    "broker",
    "web",
    "control",
    "volume-fast",
    "volume-slow",
    "volume-cold",
    "data",
    "dispatch",
    "flower",
]
WORKERS = [name for name in SERVICES if name.startswith(("control", "volume", "data"))]
STOP_ORDER = ["web", "dispatch", "control", "flower", "broker"]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One that all tests here share: each leaves it running."""
    home = tmp_path_factory.mktemp("up")
    (home / "storage.toml").write_text(THREE_BACKENDS)
    running = Up(home, **own_database())
    running.wait_until_up()
    yield running
    running.process.kill()
    running.wait()


def request(url: str, *, body: object = None, sign_in: str = "") -> int:
    """The status of an answer; 0 while nobody answers."""
    headers = {"Content-Type": "application/json"}
    if sign_in:
        headers["Authorization"] = "Basic " + b64encode(sign_in.encode()).decode()
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.request(
            "POST" if body else "GET",
            address.path or "/",
            orjson.dumps(body) if body else None,
            headers,
        )
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def test_runs_a_process_of_its_own_name_for_each_service(up):
    assert sorted(up.leaders()) == sorted(SERVICES)


def test_serves_the_api_and_its_pages(up):
    for page in ("/v3", "/docs/", "/admin/login/", "/static/admin/css/base.css"):
        assert request(up.url + page) == 200, page


@pytest.mark.parametrize("name", ["admin", "demo"])
def test_clouds_yaml_signs_in(up, name):
    auth = up.cloud(name)
    assert (up.home / "clouds.yaml").stat().st_mode & 0o777 == 0o600
    user = {"name": auth["username"], "password": auth["password"], "domain": {"id": "default"}}
    project = {"name": auth["project_name"], "domain": {"id": "default"}}
    body = {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": project},
        }
    }
    assert request(f"{auth['auth_url']}/auth/tokens", body=body) == 201


def test_flower_is_never_open(up):
    password = (up.home / "flower_password").read_text()
    assert request(f"{up.flower_url}/workers") == 401
    assert request(f"{up.flower_url}/api/workers") == 401
    assert request(f"{up.flower_url}/workers", sign_in="flower:guessed") == 401
    assert request(f"{up.flower_url}/workers", sign_in=f"flower:{password}") == 200
    # Nor does the list of processes tell.
    command_line = Path(f"/proc/{up.leaders()['flower']}/cmdline").read_text()
    assert password not in command_line


def test_what_it_keeps_is_for_its_user_alone(up):
    public = {up.home / "storage.toml", up.home / "static"}
    kept = {
        path for folder in {*up.home.iterdir()} - public for path in (folder, *folder.rglob("*"))
    }
    assert [path for path in kept if path.stat().st_mode & 0o077] == []


def test_a_second_one_says_that_one_runs(up):
    second = Up(up.home)
    assert second.wait() == 1
    assert f"process {up.process.pid} serves {up.url}." in second.output
    assert request(f"{up.url}/healthz") == 200


def test_memory_is_shared(up):
    assert pss_mib(up.tree()) < 600


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_killed_comes_back(up, name):
    leader = up.leaders()[name]
    group = descendants(leader)
    os.kill(leader, signal.SIGKILL)
    up.read_until(f"{name} was killed by SIGKILL; it starts again")
    wait_until(lambda: up.leaders().get(name, leader) != leader, f"another {name}")
    assert not any(map(is_running, group))
    if name in ("web", "broker"):
        wait_until(lambda: request(f"{up.url}/healthz") == 200, "an answer")
    if name == "flower":
        wait_until(lambda: request(f"{up.flower_url}/healthcheck") == 200, "an answer")


def test_the_workers_work_on_after_all_that(up):
    # Also those whose connection to the broker was cut.
    app = Celery(broker=f"redis+socket://{up.home / 'run' / 'broker.sock'}")
    nodes = {f"{name}@{settings.STORAGE_HOST}" for name in WORKERS}

    def answering() -> set[str]:
        return {node for answer in app.control.ping(timeout=1) for node in answer}

    wait_until(lambda: answering() == nodes, "an answer of every worker")


def test_ctrl_c_stops_all_in_order(tmp_path):
    up = Up(tmp_path, **own_database())
    up.wait_until_up()
    tree = up.tree()
    assert up.end(signal.SIGINT) == 0
    assert not any(map(is_running, tree))
    stopped = [
        line.removesuffix(": stopped") for line in up.output.splitlines() if "stopped" in line
    ]
    assert [name for name in stopped if name in STOP_ORDER] == STOP_ORDER
    assert len(stopped) == len(SERVICES) - 1  # the default configuration has two backends


def test_kill_leaves_nothing_and_the_next_start_finds_all(tmp_path):
    database = own_database()
    up = Up(tmp_path, **database)
    up.wait_until_up()
    password = up.cloud("demo")["password"]
    tree = up.tree()
    up.process.kill()
    up.wait()
    again = Up(tmp_path, **database)  # at once, while the other is still dying
    again.wait_until_up()
    assert not any(map(is_running, tree))
    assert again.cloud("demo")["password"] == password
    assert again.end() == 0


def test_a_wrong_configuration_is_named_by_its_key(tmp_path):
    (tmp_path / "storage.toml").write_text('[backends.fast]\ndriver = "file"\nworkers = "two"\n')
    up = Up(tmp_path)
    assert up.wait() == 1
    assert up.output.splitlines()[-1].startswith("CommandError: backends.fast.workers: ")


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ('driver = "fill"\npath = "a"', "there is no volume driver 'fill'; did you mean file?"),
        ('driver = "file"\npth = "a"', "backends.fast.pth: unknown key; did you mean path?"),
    ],
)
def test_a_backend_that_no_driver_can_serve_is_named(tmp_path, table, sentence):
    (tmp_path / "storage.toml").write_text(f"[backends.fast]\n{table}\n")
    up = Up(tmp_path)
    assert up.wait() == 1
    assert sentence in up.output
    assert "Traceback" not in up.output


def test_a_port_in_use_is_named_by_its_setting(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        up = Up(tmp_path, STORAGE_PORT=str(other.getsockname()[1]))
        assert up.wait() == 1
    assert "CommandError: STORAGE_PORT: cannot listen on 127.0.0.1" in up.output


def test_a_database_that_is_away_ends_the_start(tmp_path):
    up = Up(tmp_path, DATABASE_URL="postgresql://khoi@127.0.0.1:1/khoi")
    assert up.wait() == 1
    assert "The database does not answer: " in up.output
    assert "Traceback" not in up.output
    assert "broker: stopped" in up.output


def test_a_broker_that_is_away_ends_the_start(tmp_path):
    up = Up(tmp_path, BROKER_URL="redis://127.0.0.1:1/0")
    assert up.wait() == 1
    assert "The broker does not answer: " in up.output
    assert "Traceback" not in up.output
