"""Khoi on this machine, from nothing to everything running, and back."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.conf import settings

from storage_project.config import configuration
from storage_project.secrets import read_or_create_secret
from storage_project.supervisor import services
from storage_project.supervisor.addresses import address_of, find_flower_address, listen_for_api
from storage_project.supervisor.broker import broker
from storage_project.supervisor.clouds import Account
from storage_project.supervisor.errors import StopRequested
from storage_project.supervisor.image import build_image, freeze_image
from storage_project.supervisor.lock import HomeLock
from storage_project.supervisor.preparation import prepare_files, prepare_services
from storage_project.supervisor.progress import Progress
from storage_project.supervisor.supervisor import Supervisor


@dataclass(frozen=True)
class Stack:
    """What somebody needs to know of a Khoi that runs."""

    url: str
    flower_url: str
    flower_sign_in: str
    clouds: Path
    logs: Path
    accounts: tuple[Account, ...]


def run_stack(
    progress: Progress,
    *,
    welcome: Callable[[Stack], None],
    guest: Callable[[Stack], int] | None = None,
    stay: bool = True,
) -> int:
    """Start everything, `welcome`, and keep it running until asked to stop; return an exit code.

    `guest` runs once all is ready, in a process of its own that has the terminal. Unless `stay`,
    everything stops when it has ended, and its exit code is ours. Raises `ConfigurationError`
    or `StartError`, each a sentence, when there is no start; nothing runs then.
    """
    # All that is made here, and by every child, is for this user alone.
    os.umask(0o077)
    home = settings.STORAGE_HOME
    lock = HomeLock(home / "run" / "up.lock")
    lock.acquire()
    with listen_for_api() as listener:
        address = address_of(listener)
        lock.announce(address.url)
        flower_address = find_flower_address()
        flower_sign_in = _flower_sign_in(home)
        accounts = prepare_files(auth_url=f"{address.url}/identity/v3")
        backends = configuration().backends.values()
        supervisor = Supervisor(logs=home / "log", observer=progress)
        try:
            if "BROKER_URL" not in os.environ:
                supervisor.start([broker(home)])
            preparing = supervisor.begin("prepare", partial(prepare_services, accounts))
            build_image()
            freeze_image()
            supervisor.finish(preparing)
            supervisor.start(
                [
                    services.web(listens_on=listener.fileno(), address=address),
                    services.control(),
                    *map(services.volume, backends),
                    services.data(),
                    services.dispatch(),
                    services.flower(
                        address=flower_address, state=home / "flower", sign_in=flower_sign_in
                    ),
                ]
            )
            progress.settle()
            stack = Stack(
                url=address.url,
                flower_url=flower_address.url,
                flower_sign_in=flower_sign_in,
                clouds=home / "clouds.yaml",
                logs=home / "log",
                accounts=tuple(accounts),
            )
            welcome(stack)
            exit_code = 0
            if guest:
                exit_code = supervisor.run_in_front("guest", lambda: sys.exit(guest(stack)))
            if stay:
                supervisor.watch()
            return exit_code
        except StopRequested:
            return 0
        finally:
            progress.settle()
            supervisor.stop()


def _flower_sign_in(home: Path) -> str:
    return os.environ.get("FLOWER_BASIC_AUTH") or (
        f"flower:{read_or_create_secret(home / 'flower_password')}"
    )
