"""What the documents list is what the code has: nothing is missing, nothing is left over."""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.urls import URLPattern, URLResolver, get_resolver

from backups import known
from backups.api.schedule_bodies import CreateSchedule
from backups.engine import collect
from backups.schedule_models import OUTCOMES
from backups.services import chores, pruning, scheduled
from backups.states import BACKUP, REPOSITORY
from backups.upkeep import figures
from storage_project.api import faults, idempotency
from storage_project.config import (
    BackendTable,
    Copies,
    ExportTable,
    HypervisorTable,
    RepositoryTable,
)
from storage_project.operations import dispatcher, lease, pipeline, run, runner, telling
from storage_project.operations.api.operations import OperationDetailRepresentation
from storage_project.operations.flow import Flow
from storage_project.operations.messages import Code
from storage_project.operations.pipeline import pipelines
from storage_project.operations.states import Status, Step
from storage_project.supervisor import services
from tests.docs.tables import read_table, words
from tests.endpoints import list_calls
from volumes import export_keeper, pools, presence, quota
from volumes.pipelines import detach
from volumes.states import ATTACHMENT, SNAPSHOT, VOLUME

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker" / "compose.yaml"
# Our own variables; others, as HOME, are not for us to explain.
VARIABLE = re.compile(r"(STORAGE|DATABASE|BROKER|FLOWER|POSTGRES|DEMO)_[A-Z_]+")


def variables_in_code() -> Iterator[str]:
    """Names of environment variables stand in quotes, in the code of the Django project."""
    for path in (ROOT / "storage_project").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def variables_in_docker() -> Iterator[str]:
    """Those that compose.yaml asks for, and those that it and the image set for our processes."""
    yield from re.findall(r"\$\{(\w+)", COMPOSE.read_text())
    yield from yaml.safe_load(COMPOSE.read_text())["x-khoi"]["environment"]
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text()
    for line in re.findall(r"^ENV (.*)$", dockerfile, re.MULTILINE):
        yield from (pair.partition("=")[0] for pair in line.split())


def test_every_environment_variable():
    read = {*variables_in_code(), *variables_in_docker()}
    documented = set(read_table("operating.md", "variable"))
    assert documented == {name for name in read if VARIABLE.fullmatch(name)}


def test_every_key_of_a_backend():
    assert defaults_in("key") == {each.name: show_default(each) for each in fields(BackendTable)}


def test_every_key_of_a_hypervisor():
    expected = {each.name: show_default(each) for each in fields(HypervisorTable)}
    assert defaults_in("key of a hypervisor") == expected


def test_every_key_of_a_repository():
    expected = {each.name: show_default(each) for each in fields(RepositoryTable)}
    assert defaults_in("key of a repository") == expected


def test_every_key_of_copies():
    assert defaults_in("key of copies") == {
        each.name: show_default(each) for each in fields(Copies)
    }


def test_every_key_of_an_export():
    assert defaults_in("key of an export").keys() == {each.name for each in fields(ExportTable)}


def defaults_in(heading: str) -> dict[str, str]:
    return {key: cells[0] for key, cells in read_table("operating.md", heading).items()}


def show_default(key: "Field[Any]") -> str:
    """As TOML writes it."""
    if key.default_factory is not MISSING:
        return "its driver's own"
    if key.default is MISSING:
        return "needed"
    if key.default is None:
        return "none"
    return f'`"{key.default}"`' if isinstance(key.default, str) else f"`{key.default}`"


def test_every_quota():
    documented = {name: cells[0] for name, cells in read_table("operating.md", "quota").items()}
    assert documented == {name: f"`{limit}`" for name, limit in quota.DEFAULTS.items()}


def test_every_code_of_a_message():
    assert set(read_table("operating.md", "code")) == set(Code)


def test_every_process():
    named = set(read_table("operating.md", "process")) - {"volume-<backend>", "broker"}
    factories = {"web", "control", "data", "compute", "exports", "dispatch", "flower"}
    assert named == factories
    assert all(callable(getattr(services, name)) for name in factories)


TIMES = {
    "lease": f"{lease.LEASE_S} s",
    "heartbeat of a lease": f"{lease.BEAT_S} s",
    "work that shows no progress counts as hung": f"after {lease.HUNG_AFTER_S} s",
    "a message is sent again": (
        f"after {dispatcher.FIRST_PAUSE_S} s, doubling up to {dispatcher.LONGEST_PAUSE_S} s"
    ),
    "a step may run": f"{pipeline.Pipeline.time_limit_s} s",
    "a step is tried": f"{pipeline.Pipeline.max_attempts} times",
    "pause between tries": f"1 s, doubling up to {runner.MAX_BACKOFF_S} s",
    "an operation waits for a worker": f"{run.PATIENCE_S} s",
    "a service says that it lives": f"every {presence.BEAT_EVERY_S:g} s",
    "a pool is reported": f"every {presence.REPORT_EVERY_S:g} s",
    "what no backup needs is looked for": (
        f"every {known.COLLECT_EVERY.seconds} s, and freed after "
        f"{collect.GRACE // timedelta(hours=1)} hours"
    ),
    "a slot of a schedule is begun": f"within {chores.FIRE_EVERY_S:g} s of its time",
    "a volume that a schedule cannot back up is tried again": (
        f"after {scheduled.FIRST_PAUSE_S} s, doubling up to {scheduled.LONGEST_PAUSE_S} s"
    ),
    "retention looks at a schedule": (
        f"after each of its backups, and every {pruning.ROUND / timedelta(seconds=1):g} s"
    ),
    "a part of each repository is read": f"every {known.SCRUB_EVERY // timedelta(hours=1)} hours",
    "a repository is measured": (
        f"{figures.SOONEST.seconds} s after it has changed, and every {figures.LATEST.seconds} s"
    ),
    "servers are looked at": f"every {presence.LOOK_AT_SERVERS_EVERY_S:g} s",
    "exports are compared with what is attached": f"every {export_keeper.LOOK_EVERY_S:g} s",
    "a guest is asked to release a disk": (
        f"every {detach.ASK_AGAIN_S:g} s, and given {detach.RELEASE_S:g} s"
    ),
    "a service or a pool counts as down": f"after {pools.DOWN_AFTER.seconds} s",
    "a message to a project is kept": f"{telling.MESSAGE_LIFETIME.days} days",
    "an `Idempotency-Key` is kept": f"{idempotency.LIFETIME // timedelta(hours=1)} hours",
}


def test_how_long_things_take():
    table = read_table("operating.md", "what")
    assert {name.strip("`"): cells[0] for name, cells in table.items()} == TIMES


@pytest.mark.parametrize(
    ("heading", "flow"),
    [
        ("move", VOLUME),
        ("move of a snapshot", SNAPSHOT),
        ("move of a backup", BACKUP),
        ("move of a repository", REPOSITORY),
        ("move of an attachment", ATTACHMENT),
    ],
)
def test_every_move(heading: str, flow: Flow):
    moves = {
        name: (statuses_in(cells[0], flow), statuses_in(cells[1], flow))
        for name, cells in read_table("design.md", heading).items()
    }
    assert moves == {
        name: (set(move.sources), set(move.targets)) for name, move in flow.moves.items()
    }


def statuses_in(cell: str, flow: Flow) -> set[str]:
    """`a`, `b`; or any but `c`; or any settled one."""
    if cell == "any settled one":
        return set(flow.statuses) - flow.transitional
    return set(flow.statuses) - words(cell) if cell.startswith("any but") else words(cell)


def test_every_status_and_step_of_an_operation():
    assert set(read_table("design.md", "status")) == set(Status)
    assert set(read_table("design.md", "step")) == set(Step) - {Step.DONE}
    shown = read_table("api.md", "field")
    assert words(shown["status"][0]) == set(Status)
    assert words(shown["step"][0]) == set(Step)
    assert words(shown["kind"][0]) == set(pipelines())


def test_every_field_of_an_operation():
    documented = {
        name for cell in read_table("api.md", "field") for name in re.split("`?, `?", cell)
    }
    assert documented == set(OperationDetailRepresentation().fields) - {"id", "links"}


def test_every_field_of_a_schedule():
    documented = {
        name
        for cell in read_table("api.md", "field of a schedule")
        for name in re.split("`?, `?", cell)
    }
    assert documented == set(CreateSchedule().fields)


def test_every_outcome_of_a_scheduled_backup():
    assert set(read_table("api.md", "outcome")) == set(OUTCOMES)


def test_every_error():
    documented = {
        int(code): words(cells[0]) for code, cells in read_table("api.md", "code").items()
    }
    known = {code: {key} for code, key in faults.ENVELOPE_KEYS.items()}
    assert documented.items() <= known.items()
    raised = {each.status_code for each in faults.Fault.__subclasses__()}
    assert raised <= documented.keys()


def test_every_address():
    documented = {
        address: set(cells[0].split(", "))
        for address, cells in read_table("api.md", "address").items()
    }
    assert documented == dict(addresses(get_resolver().url_patterns, "/"))


def addresses(
    patterns: list[URLPattern | URLResolver], prefix: str
) -> Iterator[tuple[str, set[str]]]:
    """Every address of the API with its methods, in the form without a project."""
    for each in patterns:
        route = str(each.pattern)
        if route.startswith(("^", "admin", "log")):
            continue
        if isinstance(each, URLResolver):
            yield from addresses(each.url_patterns, prefix + route)
        else:
            yield re.sub(r"<\w+:(\w+)>", r"{\1}", prefix + route), methods(each.callback)


def methods(view: Callable[..., Any]) -> set[str]:
    handlers = getattr(view, "cls", None)
    names = ("get", "post", "put", "patch", "delete")
    # A plain function shows something.
    return {name.upper() for name in names if hasattr(handlers, name)} or {"GET"}


def test_every_action():
    documented = set(read_table("api.md", "action"))
    assert documented == {call.name for call in list_calls() if call.name}
