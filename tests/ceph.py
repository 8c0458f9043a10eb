"""A real S3 server for tests: radosgw, on a Ceph cluster of one monitor and one OSD.

The OSD keeps its objects in memory. Nothing needs systemd, a disk, or the network beyond 127.0.0.1,
and nothing outlives the tests. Debian: `ceph-mon ceph-osd radosgw`.
"""

import hashlib
import hmac
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from storage_project.supervisor.prctl import send_at_death_of_parent

PROGRAMS = (
    "ceph",
    "ceph-authtool",
    "ceph-mon",
    "ceph-osd",
    "monmaptool",
    "radosgw",
    "radosgw-admin",
)
PATIENCE_S = 120
POLL_S = 0.05
REGION = "us-east-1"
ACCESS_KEY_ID, SECRET_ACCESS_KEY = "testaccess", "testsecret"

CONFIGURATION = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{monitor_port}]
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr1 = false
keyring = {folder}/keyring
run dir = {folder}
pid file =
admin socket =
log file = {folder}/$name.log
crash dir = {folder}
mon data = {folder}/monitor
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
auth allow insecure global id reclaim = false
mon data avail warn = 2
mon data avail crit = 1
paxos propose interval = 0.05
paxos min wait = 0.01
osd max object name len = 460
osd max object namespace len = 64
rgw dns name = localhost
"""
VERSIONED = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


class S3Server:
    """A radosgw with the cluster below it. As a context manager it runs inside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.endpoint = f"http://127.0.0.1:{_free_port()}"
        self._environment = os.environ | {"CEPH_CONF": str(folder / "ceph.conf"), "CEPH_ARGS": ""}
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "S3Server":
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running):
            process.kill()
            process.wait()

    def make_bucket(self, owner: str = ACCESS_KEY_ID, *, versioned: bool = False) -> str:
        bucket = f"bucket-{secrets.token_hex(6)}"
        self.request("PUT", f"/{bucket}", owner=owner)
        if versioned:
            self.request("PUT", f"/{bucket}", "versioning=", VERSIONED, owner=owner)
        return bucket

    def make_user(self, quota_bytes: int) -> str:
        """Make somebody who may store this much; return the access key. The secret is the same."""
        name = f"user-{secrets.token_hex(4)}"
        user = ["--uid", name, "--display-name", name]
        keys = ["--access-key", name, "--secret-key", SECRET_ACCESS_KEY]
        self._administer("user", "create", *user, *keys)
        quota = ["--quota-scope", "user", "--uid", name]
        self._administer("quota", "set", *quota, "--max-size", str(quota_bytes))
        self._administer("quota", "enable", *quota)
        return name

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        *,
        owner: str,
    ) -> bytes:
        """Send a request that repositories do not make, signed as S3 wants it (version 4)."""
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        scope = f"{now[:8]}/{REGION}/s3/aws4_request"
        names = "host;x-amz-content-sha256;x-amz-date"
        headers = {"x-amz-content-sha256": digest, "x-amz-date": now}
        host = urlsplit(self.endpoint).netloc
        lines = [f"host:{host}", *(f"{name}:{value}" for name, value in headers.items())]
        canonical = "\n".join([method, path, query, *lines, "", names, digest])
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        key = f"AWS4{SECRET_ACCESS_KEY}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashed])
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={owner}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        url = f"{self.endpoint}{path}" + (f"?{query}" if query else "")
        request = urllib.request.Request(url, body or None, headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
            return reply.read()

    def _start(self) -> None:
        folder, fsid, port = self.folder, str(uuid4()), _free_port()
        text = CONFIGURATION.format(folder=folder, fsid=fsid, monitor_port=port)
        (folder / "ceph.conf").write_text(text)
        for name in ("monitor", "osd"):
            (folder / name).mkdir()
        everything = ["--cap", "mon", "allow *", "--cap", "osd", "allow *"]
        self._run("ceph-authtool", "--create-keyring", "keyring")
        for name, capabilities in {
            "mon.": ["--cap", "mon", "allow *"],
            "client.admin": everything,
            "osd.0": ["--cap", "mon", "allow profile osd", "--cap", "osd", "allow *"],
            "client.rgw": everything,
        }.items():
            self._run("ceph-authtool", "keyring", "--gen-key", "-n", name, *capabilities)
        address = f"[v2:127.0.0.1:{port}]"
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, "monmap")
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", "monmap", "--keyring", "keyring")
        self._serve("ceph-mon", "-i", "a")
        osd = str(uuid4())
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._run("ceph", "osd", "new", osd, "0")
        self._serve("ceph-osd", "-i", "0")
        # `tcp_nodelay`: without it, every reply with a body takes 40 ms.
        frontend = f"beast endpoint={urlsplit(self.endpoint).netloc} tcp_nodelay=1"
        self._serve("radosgw", "-n", "client.rgw", "--rgw-frontends", frontend)
        self._wait_until_it_answers()
        keys = ["--access-key", ACCESS_KEY_ID, "--secret-key", SECRET_ACCESS_KEY]
        self._administer("user", "create", "--uid", "tester", "--display-name", "tester", *keys)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with suppress(OSError), urllib.request.urlopen(self.endpoint, timeout=PATIENCE_S):
                return
            if time.monotonic() > deadline or any(
                each.poll() is not None for each in self._running
            ):
                raise RuntimeError(f"radosgw does not start:\n{self._log()}")
            time.sleep(POLL_S)

    def _administer(self, *arguments: str) -> None:
        self._run("radosgw-admin", *arguments)

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}:\n{done.stdout}\n{self._log()}")

    def _serve(self, *command: str) -> None:
        with (self.folder / "output.log").open("ab") as log:
            process = subprocess.Popen(
                [*command, "--foreground"],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=partial(send_at_death_of_parent, signal.SIGKILL),  # noqa: PLW1509
            )
        self._running.append(process)

    def _log(self) -> str:
        logs = [each.read_text(errors="replace")[-2000:] for each in self.folder.glob("*.log")]
        return "\n".join(logs)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """An S3 server with its data in an empty folder; the test skips where there is no radosgw."""
    lacking = [program for program in PROGRAMS if shutil.which(program) is None]
    if lacking:
        pytest.skip(f"{', '.join(lacking)} not installed (Debian: ceph-mon ceph-osd radosgw)")
    with S3Server(folder) as server:
        yield server
