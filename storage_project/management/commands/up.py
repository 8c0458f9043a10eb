"""`manage.py up`: Khoi on this machine, in one terminal."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from drivers.errors import ConfigurationError
from storage_project.supervisor.errors import StartError
from storage_project.supervisor.progress import Progress
from storage_project.supervisor.stack import Stack, run_stack


class Command(BaseCommand):
    help = "Start everything, keep it running, stop it with Ctrl-C."

    def handle(self, **options: Any) -> None:
        console = Console()
        try:
            sys.exit(run_stack(Progress(console), welcome=lambda stack: greet(console, stack)))
        except (ConfigurationError, StartError) as error:
            raise CommandError(str(error)) from error


def greet(console: Console, stack: Stack) -> None:
    """Say where everything is, and how to sign in."""
    lines = [
        ("API", f"{stack.api.url}/v3/"),
        ("Admin", f"{stack.api.url}/admin/"),
        ("Documentation", f"{stack.api.url}/docs/"),
        *((f"Sign in as {each.name}", each.password) for each in stack.accounts),
        ("Flower", stack.flower.url),
        ("Sign in to Flower", stack.flower_sign_in.replace(":", "  ", 1)),
        ("Clients", f"export OS_CLIENT_CONFIG_FILE={stack.clouds}"),
        ("", "openstack --os-cloud demo volume create --size 1 first"),
        ("Logs", str(stack.logs)),
    ]
    console.print("\n[bold]Khoi is up.[/bold] Ctrl-C stops it.\n")
    for label, text in lines:
        console.print(f"  {label:<18} {text}", highlight=False, soft_wrap=True, markup=False)
    console.print()
