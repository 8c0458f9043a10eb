"""`manage.py exports`: the process that keeps the exports of this machine, until told to stop."""

import signal
from typing import Any

from django.core.management.base import BaseCommand

from volumes.export_keeper import ExportKeeper


class Command(BaseCommand):
    help = "Keep what is exported from this machine as it is wanted, and its daemons alive."

    def handle(self, **options: Any) -> None:
        keeper = ExportKeeper()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: keeper.stopping.set())
        keeper.run()
