"""`manage.py demo`: Khoi as `up` starts it, with a tour; on a terminal it then keeps serving."""

import os
import sys
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.text import Text

from drivers.errors import ConfigurationError
from storage_project.management.commands.up import greet
from storage_project.supervisor.errors import StartError
from storage_project.supervisor.progress import Progress
from storage_project.supervisor.stack import Stack, run_stack
from storage_project.tour.machine import GUEST, machine_in_place
from storage_project.tour.small_disk import small_disk_in_place
from storage_project.tour.visit import take_tour

ATTACH = [
    "",
    "# The guest of the tour runs on: give it a volume",
    "openstack --os-cloud demo server list",
    f"openstack --os-cloud demo server add volume {GUEST} mine",
    "openstack --os-cloud demo volume list",
]


class Command(BaseCommand):
    help = "Start everything and show what it does; without a terminal, or with DEMO_EXIT=1, end."

    def handle(self, **options: Any) -> None:
        console = Console()
        stay = sys.stdout.isatty() and os.environ.get("DEMO_EXIT") != "1"

        def guide(stack: Stack) -> int:
            went_well = take_tour(stack, console, machine)
            if stay:
                greet(console, stack)
                suggest(console, stack, has_guest=not machine.why_missing)
            return 0 if went_well else 1

        try:
            with small_disk_in_place(), machine_in_place(console) as machine:
                exit_code = run_stack(
                    Progress(console), welcome=lambda _: None, guest=guide, stay=stay
                )
        except (ConfigurationError, StartError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:  # before there is anything to stop
            sys.exit(1)
        finally:
            with suppress(OSError):  # the terminal may be gone
                console.show_cursor()  # which the tour hides, and cannot show when it is killed
        sys.exit(exit_code)


def suggest(console: Console, stack: Stack, *, has_guest: bool) -> None:
    """What to try, ready to paste."""
    passwords = {account.name: account.password for account in stack.accounts}
    lines = [
        "# What the tour has done",
        f"curl --user demo:{passwords['demo']} {stack.api.url}/v3/operations",
        "",
        "# Your turn; where there is no openstack: pip install python-openstackclient",
        f"export OS_CLIENT_CONFIG_FILE={stack.clouds}",
        "openstack --os-cloud demo volume type list",
        "openstack --os-cloud demo volume create --size 1 mine",
        "openstack --os-cloud demo volume list",
        "openstack --os-cloud demo volume message list",
        "openstack --os-cloud admin volume service list",
        "openstack --os-cloud admin volume backend pool list --long",
        *(ATTACH if has_guest else []),
    ]
    console.print("[bold]To paste into another terminal[/bold]\n")
    for line in lines:
        style = "dim" if line.startswith("#") else ""
        console.print(Text(f"  {line}", style), soft_wrap=True)
    console.print()
