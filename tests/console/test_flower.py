"""Where the links to Flower lead."""

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from storage_project.console.flower import flower_tasks_url, flower_url


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("khoi.example:8776", "http://khoi.example:5555"),
        ("khoi.example", "http://khoi.example:5555"),
        ("[::1]:8776", "http://[::1]:5555"),
    ],
)
def test_beside_the_page(settings: Settings, host: str, url: str) -> None:
    settings.FLOWER_URL = ""
    settings.FLOWER_PORT = "5555"
    assert flower_url(RequestFactory().get("/admin/", headers={"host": host})) == url


def test_where_the_settings_say(settings: Settings) -> None:
    settings.FLOWER_URL = "https://flower.example"
    url = flower_tasks_url(RequestFactory().get("/"), kind="volume.create", operation_id="4f")
    assert url == "https://flower.example/tasks?name=volume.create%20args%3A4f"
