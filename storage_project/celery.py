"""The Celery application: its settings are Django's, its tasks are the steps of the pipelines."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storage_project.settings")

app = Celery("khoi")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.imports = ["storage_project.operations.tasks"]
