"""`manage.py dispatch`: the process that rings operations until it is told to stop."""

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from backups.services import chores as schedules
from storage_project.api.idempotency import delete_expired_replies
from storage_project.celery import app
from storage_project.identity.retention import delete_expired_tokens
from storage_project.operations.dispatcher import Chore, Dispatcher, queue_depth
from storage_project.operations.lease import Node
from storage_project.operations.retention import delete_expired_messages, delete_old_operations
from storage_project.operations.tasks import chain_of

CHORES = (
    *schedules.CHORES,
    Chore(delete_expired_messages),
    Chore(delete_old_operations),
    Chore(delete_expired_replies),
    Chore(delete_expired_tokens),
)


class Command(BaseCommand):
    help = "Ring new operations, and those that were lost; any number of these may run."

    def handle(self, **options: Any) -> None:
        Node.name = f"dispatch@{settings.STORAGE_HOST}"
        dispatcher = Dispatcher(
            ring=lambda operation: chain_of(operation).apply_async(),
            depth=queue_depth(app),
            chores=CHORES,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: dispatcher.stopping.set())
        dispatcher.run()
