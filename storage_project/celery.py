"""The Celery application: its settings are Django's, its tasks are the steps of the pipelines."""

import os

from celery import Celery
from kombu.transport.redis import QoS

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storage_project.settings")

app = Celery("khoi")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.imports = ["storage_project.operations.tasks"]

# What a worker has taken and not begun when its connection ends is rung again from the row. kombu
# would send it back over that same connection, and an error there ends a worker that is busy.
QoS.restore_at_shutdown = False
