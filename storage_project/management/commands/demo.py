"""`manage.py demo`: Khoi as `up` starts it, with a tour; on a terminal it then keeps serving."""

import os
import sys
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError
from rich.console import Console

from drivers.errors import ConfigurationError
from storage_project.config import add_configuration
from storage_project.management.commands.up import greet
from storage_project.supervisor.errors import StartError
from storage_project.supervisor.progress import Progress
from storage_project.supervisor.stack import Stack, run_stack
from storage_project.tour import small_disk
from storage_project.tour.visit import take_tour


class Command(BaseCommand):
    help = "Start everything and show what it does; without a terminal, or with DEMO_EXIT=1, end."

    def handle(self, **options: Any) -> None:
        console = Console()
        stay = sys.stdout.isatty() and os.environ.get("DEMO_EXIT") != "1"

        def guide(stack: Stack) -> int:
            went_well = take_tour(stack, console)
            if stay:
                greet(console, stack)
                suggest(console, stack)
            return 0 if went_well else 1

        add_configuration(small_disk.CONFIGURATION)
        try:
            small_disk.fill_small_disk()
            exit_code = run_stack(Progress(console), welcome=lambda _: None, guest=guide, stay=stay)
        except (ConfigurationError, StartError) as error:
            raise CommandError(str(error)) from error
        finally:
            with suppress(OSError):  # the terminal may be gone
                console.show_cursor()  # which the tour hides, and cannot show when it is killed
        with suppress(OperationalError):  # a database that is away; the next demo forgets it
            small_disk.remove_small_disk()
        sys.exit(exit_code)


def suggest(console: Console, stack: Stack) -> None:
    console.print()
