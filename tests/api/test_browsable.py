"""The same answers as pages: forms for what the caller may do, links, nothing from elsewhere."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from rest_framework.test import APIClient

from storage_project.api.renderers import mark_code
from tests.api.conftest import PROJECT
from tests.api.crates import Crate

pytestmark = pytest.mark.django_db

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Page(HTMLParser):
    """The parts of a page that the tests ask for."""

    def __init__(self, response: Any) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = response.content.decode()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def attributes(self, tag: str, name: str) -> list[str]:
        return [value for found, attrs in self.tags if found == tag and (value := attrs.get(name))]

    @property
    def forms(self) -> list[str]:
        return [
            f"{attrs['data-method']} {attrs['data-address']}"
            for tag, attrs in self.tags
            if tag == "form" and "data-method" in attrs
        ]


@pytest.fixture
def crate() -> Crate:
    return Crate.objects.create(project_id=PROJECT, name="<script>alert(1)</script>")


def get(client: APIClient, address: str) -> Page:
    response = client.get(address, headers=PAGE)
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    return Page(response)


def test_forms_are_those_that_the_caller_may_send(
    member: APIClient, admin: APIClient, crate: Crate
) -> None:
    address = f"/v3/crates/{crate.pk}"
    assert get(member, "/v3/crates").forms == ["POST /v3/crates"]
    assert get(member, "/v3/crates/detail").forms == ["POST /v3/crates/detail"]
    assert get(member, address).forms == [f"PUT {address}", f"POST {address}/action"]
    assert get(admin, address).forms == [
        f"PUT {address}",
        f"DELETE {address}",
        f"POST {address}/action",
    ]


def test_forms_begin_with_an_example(admin: APIClient, crate: Crate) -> None:
    assert "&quot;name&quot;: &quot;apples&quot;" in get(admin, "/v3/crates").text
    examples = get(admin, f"/v3/crates/{crate.pk}").attributes("option", "value")
    assert [re.sub(r"\s", "", example) for example in examples] == [
        '{"resize":{"new_size":2}}',
        '{"seal":null}',
    ]


def test_actions_follow_the_microversion(admin: APIClient, crate: Crate) -> None:
    page = get(admin, f"/v3/crates/{crate.pk}?microversion=3.39")
    assert len(page.attributes("option", "value")) == 1


def test_the_page_of_the_actions_has_their_form(admin: APIClient, crate: Crate) -> None:
    address = f"/v3/crates/{crate.pk}/action"
    assert get(admin, address).forms == [f"POST {address}"]


def test_what_users_wrote_is_only_text(member: APIClient, crate: Crate) -> None:
    page = get(member, f"/v3/crates/{crate.pk}")
    assert "alert(1)" in page.text
    assert "<script>alert" not in page.text


def test_links_can_be_followed_and_keep_the_microversion(member: APIClient, crate: Crate) -> None:
    links = get(member, "/v3/crates?microversion=3.50").attributes("a", "href")
    own = f"http://testserver/v3/{PROJECT}/crates/{crate.pk}?microversion=3.50"
    assert own in links
    assert f"http://testserver/{PROJECT}/crates/{crate.pk}" not in " ".join(links)
    assert "/v3/crates/detail?microversion=3.50" in links
    assert member.get(own, headers=PAGE).status_code == 200


def test_links_to_elsewhere_are_left_alone(member: APIClient) -> None:
    Crate.objects.create(project_id=PROJECT, name="https://elsewhere.example/x?y=1&z=2")
    links = get(member, "/v3/crates?microversion=3.50").attributes("a", "href")
    assert "https://elsewhere.example/x?y=1&z=2" in links


def test_the_next_page_is_one_click_away(member: APIClient) -> None:
    for _ in range(2):
        Crate.objects.create(project_id=PROJECT)
    page = get(member, "/v3/crates?limit=1")
    assert "Next page" in page.text
    assert "Next page" not in get(member, "/v3/crates").text


def test_strangers_are_shown_where_to_sign_in(anyone: APIClient) -> None:
    page = get(anyone, "/v3/crates?limit=1")
    assert "/login/?next=/v3/crates%3Flimit%3D1" in page.attributes("a", "href")
    assert page.forms == []


def test_errors_are_pages_too(member: APIClient) -> None:
    page = get(member, "/v3/crates?sort=nothing")
    assert "Cannot sort by" in page.text
    assert "400 Bad Request" in page.text
    assert "406 Not Acceptable" in get(member, "/v3/crates?microversion=9.9").text


def test_the_navigation_has_every_collection(member: APIClient) -> None:
    links = get(member, "/v3").attributes("a", "href")
    assert {"/v3/crates", "/v3/crates/detail", "/v3/extensions"} <= set(links)


def test_nothing_comes_from_another_host(member: APIClient, crate: Crate) -> None:
    response = member.get(f"/v3/crates/{crate.pk}", headers=PAGE)
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    page = Page(response)
    files = page.attributes("script", "src") + page.attributes("link", "href")
    files += page.attributes("img", "src")
    assert len(files) == 4
    for file in files:
        assert file.startswith("/static/")
        assert finders.find(file.removeprefix("/static/"))
    assert "style=" not in page.text
    assert "onclick" not in page.text


def test_code_in_a_description_is_shown_as_code_and_nothing_else_as_markup() -> None:
    assert mark_code("With `?a=<b>` and <i>") == ("With <code>?a=&lt;b&gt;</code> and &lt;i&gt;")
