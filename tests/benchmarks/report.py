"""Prints what was measured, and remembers whether every bound was reached."""

import sys


class Report:
    """Lines of `what … how much`, with the bound that the figure should reach where it has one."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def title(self, text: str) -> None:
        sys.stdout.write(f"\n{text}\n")
        sys.stdout.flush()

    def line(self, what: str, figure: str) -> None:
        sys.stdout.write(f"  {what:<58} {figure}\n")
        sys.stdout.flush()

    def ratio(self, what: str, value: float, *, at_least: float) -> None:
        self.bound(what, f"{value:.2f}", value >= at_least, f"at least {at_least}")

    def figure(self, what: str, value: float, unit: str, *, at_most: float) -> None:
        self.bound(what, f"{value:.1f} {unit}", value <= at_most, f"at most {at_most:g} {unit}")

    def bound(self, what: str, shown: str, reached: bool, bound: str) -> None:
        """A figure as shown, with the bound in words and whether it was reached."""
        self.line(what, f"{shown} ({bound}: {'reached' if reached else 'MISSED'})")
        if not reached:
            self.missed.append(what)
