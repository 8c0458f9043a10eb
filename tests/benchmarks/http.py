"""What a request costs: latency at the client, CPU in the web server, queries.

One client on a connection that is kept open, one request after the other. The dispatcher and the
workers run beside it, as they do in production, on the same cores.
"""

import json
import time
from collections.abc import Callable
from http.client import HTTPConnection
from statistics import median, quantiles
from urllib.parse import urlsplit
from uuid import uuid4

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from storage_project.identity.models import Role
from storage_project.identity.services import (
    ensure_project,
    ensure_user,
    grant_role,
    issue_token,
)
from storage_project.operations.models import Operation
from storage_project.operations.states import ACTIVE
from tests.benchmarks.report import Report
from tests.stack import Process, Stack, wait_until
from volumes.models import Pool, QuotaLimit, Volume, VolumeType
from volumes.services.types import ensure_default_type

REQUESTS = 300
WARM_UP = 60
PAGE = 1_000


class Caller:
    """A member of a project with a token, on one connection to the API."""

    def __init__(self, url: str) -> None:
        self.project = ensure_project(name="bench")
        user = ensure_user(name="bench", password="bench", default_project=self.project)
        grant_role(user=user, project=self.project, role=Role.objects.get(name="member"))
        self.token, _ = issue_token(user=user, project=self.project, methods=["password"])
        self._connection = HTTPConnection(urlsplit(url).netloc)

    def close(self) -> None:
        self._connection.close()

    @property
    def headers(self) -> dict[str, str]:
        return {
            "X-Auth-Token": self.token,
            "OpenStack-API-Version": "volume 3.71",
            "Content-Type": "application/json",
        }

    def call(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, self.headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def measure(stack: Stack, report: Report) -> None:
    """Start what serves, then measure POST, GET, create → available, and lists, as it fills up."""
    ensure_default_type()
    for resource in ("volumes", "gigabytes"):
        QuotaLimit.objects.update_or_create(resource=resource, defaults={"limit": -1})
    stack.start_worker("control", queue="control")
    stack.start_worker("volume-fast", queue="volume.box@fast")
    stack.start_dispatcher()
    url = stack.start_web()
    caller = Caller(url)
    wait_until(Pool.objects.exists, "the pool of the file backend")

    report.title("Requests, PostgreSQL, an empty table")
    requests(stack, report, caller)
    report.title("create → available, file backend, one at a time")
    until_available(report, caller)
    fill(caller, 10_000)
    report.title("10,000 volumes in the table")
    lists(stack, report, caller)
    fill(caller, 100_000)
    report.title("100,000 volumes in the table")
    requests(stack, report, caller)
    lists(stack, report, caller)


def requests(stack: Stack, report: Report, caller: Caller) -> None:
    """POST and GET of one volume."""
    web = stack.processes["web"]

    def post() -> str:
        status, answer = caller.call("POST", "/v3/volumes", {"volume": {"size": 1}})
        assert status == 202, answer
        volume_id: str = json.loads(answer)["volume"]["id"]
        return volume_id

    volume_id = post()

    def get() -> None:
        status, answer = caller.call("GET", f"/v3/volumes/{volume_id}")
        assert status == 200, answer

    for name, act, bound_ms in (("POST /volumes", post, 8), ("GET /volumes/{id}", get, 4)):
        for _ in range(WARM_UP):
            act()
        latencies_ms, cpu_ms = _measured(web, act, REQUESTS)
        report.line(f"{name}, latency p50 / p95", _percentiles(latencies_ms))
        report.figure(f"{name}, CPU of the web server", cpu_ms, "ms", at_most=bound_ms)
    wait_until(_all_ended, "all operations", patience_s=300)


def until_available(report: Report, caller: Caller) -> None:
    """From the first byte of the POST until a GET shows `available`."""
    times_ms = []
    for _ in range(100):
        started = time.perf_counter()
        _, answer = caller.call("POST", "/v3/volumes", {"volume": {"size": 1}})
        volume_id = json.loads(answer)["volume"]["id"]
        while True:
            _, answer = caller.call("GET", f"/v3/volumes/{volume_id}")
            if json.loads(answer)["volume"]["status"] == "available":
                break
            time.sleep(0.002)
        times_ms.append((time.perf_counter() - started) * 1000)
    report.line("create → available, p50 / p95", _percentiles(times_ms))


def lists(stack: Stack, report: Report, caller: Caller) -> None:
    """A detail list of a thousand, over HTTP for its CPU and in process for its queries."""
    path = f"/v3/volumes/detail?limit={PAGE}"
    web = stack.processes["web"]

    def page() -> None:
        status, answer = caller.call("GET", path)
        assert status == 200, answer
        assert len(json.loads(answer)["volumes"]) == PAGE

    for _ in range(6):
        page()
    latencies_ms, cpu_ms = _measured(web, page, 30)
    report.line(f"GET detail, limit={PAGE}, latency p50 / p95", _percentiles(latencies_ms))
    report.figure(f"GET detail, limit={PAGE}, CPU", cpu_ms, "ms", at_most=60)
    counts = {limit: _queries(caller, limit) for limit in (1, 50, PAGE)}
    shown = ", ".join(f"{count} for {limit}" for limit, count in counts.items())
    report.bound("queries of a page", shown, len(set(counts.values())) == 1, "the same for all")


def _queries(caller: Caller, limit: int) -> int:
    client = Client(headers=caller.headers)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(f"/v3/volumes/detail?limit={limit}").status_code == 200
    return len(queries)


def fill(caller: Caller, count: int) -> None:
    """Bring the table to `count` rows, as placed and available as real ones."""
    pool = Pool.objects.get(backend="fast")
    volume_type = VolumeType.objects.get(name=VolumeType.DEFAULT_NAME)
    missing = count - Volume.objects.count()
    Volume.objects.bulk_create(
        (
            Volume(
                id=uuid4(),
                project_id=caller.project.pk,
                user_id="bench",
                name=f"volume-{number}",
                size_gib=1,
                status="available",
                volume_type=volume_type,
                availability_zone="nova",
                pool=pool,
                metadata={"purpose": "bench"},
            )
            for number in range(missing)
        ),
        batch_size=2_000,
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    # The server has closed it meanwhile; the next call opens another.
    caller.close()


def _measured(web: Process, act: Callable[[], object], count: int) -> tuple[list[float], float]:
    """(latencies in ms, CPU ms of the web server for each)."""
    cpu_before = web.cpu_s()
    latencies_ms = []
    for _ in range(count):
        started = time.perf_counter()
        act()
        latencies_ms.append((time.perf_counter() - started) * 1000)
    return latencies_ms, (web.cpu_s() - cpu_before) * 1000 / count


def _percentiles(values: list[float]) -> str:
    return f"{median(values):.1f} / {quantiles(values, n=20)[-1]:.1f} ms"


def _all_ended() -> bool:
    return not Operation.objects.filter(status__in=ACTIVE).exists()
