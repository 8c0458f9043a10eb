"""Shows what `up` does: a list that moves on a terminal, elsewhere a line per event."""

import time
from contextlib import suppress

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

FRAME_S = 0.1
CALM_S = 1.0


class Progress:
    """An `Observer`. It draws only when called: with a thread of its own, forks were unsafe."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began: dict[str, float] = {}
        self._lines: dict[str, Text | Spinner] = {}
        self._live: Live | None = None

    def began(self, name: str) -> None:
        self._began[name] = time.monotonic()
        self._lines[name] = Spinner("dots", Text(name), style="cyan")
        if self.console.is_terminal and self._live is None:
            # Children inherit sys.stdout as it is: it must stay what it is.
            self._live = Live(
                console=self.console,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._draw()

    def finished(self, name: str) -> None:
        took_s = time.monotonic() - self._began[name]
        self._lines[name] = Text.assemble(
            ("✓ ", "green"), f"{name:<20}", (f"{took_s:.1f} s", "dim")
        )
        if self._live is None:
            self._say(f"{name}: ready after {took_s:.1f} s")
        self._draw()

    def stopped(self, name: str) -> None:
        self._say(f"{name}: stopped", style="dim")

    def notice(self, sentence: str) -> None:
        self._say(sentence, style="yellow")

    def breathe(self) -> float:
        self._draw()
        return FRAME_S if self._live else CALM_S

    def settle(self) -> None:
        """The start is over, well or not: leave the list as it stands."""
        if self._live:
            self._live.stop()
            self._live = None
        self._lines.clear()

    def _say(self, text: str, style: str = "") -> None:
        with suppress(OSError):  # the terminal may be gone, and there is still work to do
            self.console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    def _draw(self) -> None:
        if self._live:
            self._live.update(Group(*self._lines.values()), refresh=True)
