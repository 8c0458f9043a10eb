"""The Celery application: its settings are Django's, its tasks are the steps of the pipelines."""

import os

from celery import Celery
from kombu.transport.redis import Channel, QoS

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storage_project.settings")

app = Celery("khoi")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.imports = ["storage_project.operations.tasks"]


class Receipts(QoS):
    """What a worker has taken, and acknowledges as it begins with it.

    What it has not begun when its connection ends is rung again from the row. kombu would send it
    back over that same connection, and acknowledge there what a thread of its pool begins just
    then: an error, which ends a worker that is busy.
    """

    restore_at_shutdown = False

    def ack(self, delivery_tag: str) -> None:
        if not self.channel.closed:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]


Channel.QoS = Receipts
