"""The tour from the first chapter to the summary."""

from collections.abc import Callable

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from storage_project.supervisor.stack import Stack
from storage_project.tour.chapters import CHAPTERS
from storage_project.tour.machine import Machine
from storage_project.tour.timeline import show_s
from storage_project.tour.tour import MARK, Tour, Volume
from storage_project.tour.trouble import TourOver, Trouble


def take_tour(stack: Stack, console: Console, machine: Machine) -> bool:
    """Walk through the chapters; tell whether every step did what it should.

    Either way no volume of the tour is left. The types that it offers stay, for others to use.
    """
    try:
        tour = Tour(stack, console, machine)
    except Trouble as trouble:
        console.print(Text(str(trouble), "red"))
        return False
    console.print(
        f"\n[bold]The tour[/bold]: the life of a volume at {stack.api.url}", highlight=False
    )
    went_well = all(_goes_well(act, tour) for act in (tidy, *CHAPTERS))
    if not went_well:
        _goes_well(tidy, tour)
    _summarize(tour, console, went_well=went_well)
    return went_well


def tidy(tour: Tour) -> None:
    """Delete what this tour, or an interrupted one before it, has left."""
    query = {"metadata": orjson.dumps(MARK).decode()}
    left = tour.demo.get("/volumes/detail", **query)["volumes"]
    backups = tour.backups()
    if left or backups:
        counted = f"volumes, {len(left)}; backups, {len(backups)}"
        with tour.step(f"Delete what a tour has left: {counted}"):
            for backup in backups:
                tour.discard_backup(backup)
            for shown in left:
                tour.discard(Volume(shown["id"], shown["volume_type"], shown["size"]))


def _goes_well(act: Callable[[Tour], None], tour: Tour) -> bool:
    try:
        act(tour)
    except TourOver:
        return False
    except Trouble as trouble:
        tour.console.print(Text(str(trouble), "red"))
        return False
    return True


def _summarize(tour: Tour, console: Console, *, went_well: bool) -> None:
    table = Table("", "Step", box=box.SIMPLE_HEAD)
    table.add_column("Checks", justify="right")
    table.add_column("Time", justify="right")
    for step in tour.steps:
        mark = Text("✗", "red") if step.trouble else Text("✓", "green")
        table.add_row(mark, step.title, str(step.checked or ""), show_s(step.took_s or 0))
    console.print(table)
    if went_well:
        checked = sum(step.checked for step in tour.steps)
        console.print(
            f"[bold green]Every step did what it should[/bold green]: {len(tour.steps)} steps, "
            f"{checked} checks.",
            highlight=False,
        )
    else:
        console.print("[bold red]The tour ended early[/bold red]: see the step marked ✗.")
