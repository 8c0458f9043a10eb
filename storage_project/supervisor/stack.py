"""Khoi on this machine, from nothing to everything running, and back."""

import os
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.conf import settings

from storage_project.config import configuration
from storage_project.secrets import read_or_create_secret
from storage_project.supervisor import services
from storage_project.supervisor.addresses import (
    Address,
    address_of,
    find_flower_address,
    listen_for_api,
)
from storage_project.supervisor.broker import broker
from storage_project.supervisor.clouds import Account
from storage_project.supervisor.errors import StopRequested
from storage_project.supervisor.image import build_image, freeze_image
from storage_project.supervisor.lock import HomeLock
from storage_project.supervisor.preparation import prepare_files, prepare_services
from storage_project.supervisor.progress import Progress
from storage_project.supervisor.service import Service
from storage_project.supervisor.supervisor import Supervisor


@dataclass(frozen=True)
class Stack:
    """What there is to know of a Khoi that runs: where it is, and how to sign in."""

    home: Path
    api: Address
    flower: Address
    flower_sign_in: str
    accounts: Sequence[Account]

    @property
    def clouds(self) -> Path:
        return self.home / "clouds.yaml"

    @property
    def logs(self) -> Path:
        return self.home / "log"


def run_stack(
    progress: Progress,
    *,
    welcome: Callable[[Stack], None],
    guest: Callable[[Stack], int] | None = None,
    stay: bool = True,
) -> int:
    """Start everything, `welcome`, and keep it running until asked to stop; return an exit code.

    `guest` runs once all is ready, in a process of its own that has the terminal. Its exit code is
    ours; a guest that does not get to its end has failed. Unless `stay`, everything stops with it.
    Raises `ConfigurationError` or `StartError`, each a sentence, when there is no start; nothing
    runs then.
    """
    # All that is made here, and by every child, is for this user alone.
    os.umask(0o077)
    lock = HomeLock(settings.STORAGE_HOME / "run" / "up.lock")
    lock.acquire()
    with listen_for_api() as listener:
        stack = _plan(address_of(listener))
        lock.announce(stack.api.url)
        supervisor = Supervisor(logs=stack.logs, observer=progress)
        exit_code = 1 if guest else 0
        try:
            _start(supervisor, stack, listener)
            progress.settle()
            welcome(stack)
            if guest:
                exit_code = supervisor.run_in_front("guest", lambda: sys.exit(guest(stack)))
            if stay:
                supervisor.watch()
        except StopRequested:
            pass
        finally:
            progress.settle()
            supervisor.stop()
    return exit_code


def _plan(api: Address) -> Stack:
    home = settings.STORAGE_HOME
    return Stack(
        home=home,
        api=api,
        flower=find_flower_address(),
        flower_sign_in=os.environ.get("FLOWER_BASIC_AUTH")
        or f"flower:{read_or_create_secret(home / 'flower_password')}",
        accounts=prepare_files(auth_url=f"{api.url}/identity/v3"),
    )


def _start(supervisor: Supervisor, stack: Stack, listener: socket.socket) -> None:
    if not os.environ.get("BROKER_URL"):
        supervisor.start([broker(stack.home)])
    preparing = supervisor.begin("prepare", partial(prepare_services, stack.accounts))
    build_image()  # meanwhile
    freeze_image()
    supervisor.finish(preparing)
    supervisor.start(_services(stack, listener))


def _services(stack: Stack, listener: socket.socket) -> list[Service]:
    configured = configuration()
    hypervisors = configured.hypervisors.values()
    has_daemons = any(each.driver_class.has_daemons for each in configured.exports.values())
    return [
        services.web(listens_on=listener.fileno(), address=stack.api),
        services.control(),
        *map(services.volume, configured.backends.values()),
        services.data(configured.copies),
        *([services.compute(hypervisors)] if hypervisors else []),
        *([services.exports()] if has_daemons else []),
        services.dispatch(),
        services.flower(
            address=stack.flower, state=stack.home / "flower", sign_in=stack.flower_sign_in
        ),
    ]
