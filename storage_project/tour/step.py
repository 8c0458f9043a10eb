"""One thing that the tour does, as it is shown: what is asked, what happens, what is so then."""

import time
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text

from storage_project.tour.timeline import draw_operation, show_s
from storage_project.tour.trouble import Trouble

TITLE_WIDTH = 66
INDENT = 4


@dataclass
class Step:
    """Draws itself anew whenever it is asked to, so a live display shows it as it goes on."""

    title: str
    began: float = field(default_factory=time.monotonic)
    took_s: float | None = None
    trouble: str = ""
    checked: int = 0
    _operations: dict[str, dict[str, Any]] = field(default_factory=dict)
    _remarks: list[RenderableType] = field(default_factory=list)
    _spinner: Spinner = field(default_factory=lambda: Spinner("dots", style="cyan"))

    def watch(self, operation: dict[str, Any]) -> None:
        """Show an operation, as the API has just shown it, below those before it."""
        self._operations[operation["id"]] = operation

    def check(self, claim: str, found: object, expected: object = True) -> None:
        """Show a claim that holds; for one that does not, raise `Trouble` with what is so."""
        if found != expected:
            raise Trouble(f"Not so: {claim}. Expected {expected!r}, found {found!r}.")
        self.checked += 1
        self._remarks.append(Text.assemble(("✓ ", "green"), claim))

    def tell(self, remark: str) -> None:
        """Show how something is, which nothing depends on."""
        self._remarks.append(Text(remark, "dim"))

    def quote(self, title: str, text: str) -> None:
        """Show what a user is told, word by word."""
        self._remarks.append(Panel(Text(text), title=title, title_align="left", border_style="dim"))

    def end(self, trouble: str = "") -> None:
        """It is over: well, or with a sentence."""
        self.took_s = time.monotonic() - self.began
        self.trouble = trouble

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        several = len(self._operations) > 1
        details: list[RenderableType] = [
            line
            for operation in self._operations.values()
            for line in draw_operation(operation, named=several)
        ]
        details += self._remarks
        if self.trouble:
            details.append(Text(self.trouble, style="red"))
        yield self._headline()
        yield Indented(Group(*details), INDENT)

    def _headline(self) -> RenderableType:
        if self.took_s is None:
            self._spinner.text = Text(self.title)
            return self._spinner
        mark = ("✗ ", "bold red") if self.trouble else ("✓ ", "bold green")
        return Text.assemble(mark, self.title.ljust(TITLE_WIDTH), (show_s(self.took_s), "dim"))


@dataclass(frozen=True)
class Indented:
    """Rich's own padding would fill the lines with blanks, also in a file."""

    content: RenderableType
    width: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        narrower = options.update(width=options.max_width - self.width)
        for line in console.render_lines(self.content, narrower, pad=False):
            yield Segment(" " * self.width)
            yield from line
            yield Segment.line()
