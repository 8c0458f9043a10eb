"""The pages to sign in, choose a project and sign out, as a browser meets them."""

from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from storage_project.identity.passwords import MAX_FAILURES
from storage_project.identity.services import create_project
from tests.identity.conftest import PASSWORD, Account, give_role

CATALOG = "/identity/v3/auth/catalog"


@pytest.fixture
def browser(db: None) -> Client:
    """Sends the CSRF token as a form does."""
    browser = Client(enforce_csrf_checks=True)
    browser.get("/login/")
    return browser


def post(browser: Client, where: str, **fields: str) -> Any:
    token = browser.cookies["khoi_csrf"].value
    return browser.post(where, fields | {"csrfmiddlewaretoken": token})


def sign_in(browser: Client, password: str = PASSWORD, **fields: str) -> Any:
    return post(browser, "/login/", username="demo", password=password, **fields)


def current_project(browser: Client) -> str:
    url = browser.get(CATALOG).json()["catalog"][0]["endpoints"][0]["url"]
    return url.rpartition("/")[2]


def test_sign_in_and_out(browser: Client, demo: Account) -> None:
    response = sign_in(browser, next="/v3/types")
    assert (response.status_code, response["Location"]) == (302, "/v3/types")
    assert current_project(browser) == demo.project.pk
    assert post(browser, "/logout/")["Location"] == "/login/"
    assert browser.get(CATALOG).status_code == 401


@pytest.mark.parametrize("target", ["", "https://evil.example.org/", "//evil.example.org"])
def test_leads_nowhere_else(browser: Client, demo: Account, target: str) -> None:
    assert sign_in(browser, next=target)["Location"] == "/v3/volumes/detail"


def test_refusal_says_why_and_keeps_the_name(browser: Client, demo: Account) -> None:
    page = sign_in(browser, password="wrong").content.decode()
    assert "The name or the password is wrong." in page
    assert 'value="demo"' in page
    assert "wrong" not in page.replace("is wrong.", "")


def test_guessing_is_throttled(browser: Client, demo: Account) -> None:
    for _ in range(MAX_FAILURES):
        sign_in(browser, password="wrong")
    page = sign_in(browser).content.decode()
    assert "Too many failed sign-ins" in page
    assert browser.get(CATALOG).status_code == 401


def test_needs_the_csrf_token(demo: Account) -> None:
    browser = Client(enforce_csrf_checks=True)
    response = browser.post("/login/", {"username": "demo", "password": PASSWORD})
    assert response.status_code == 403


def test_choose_a_project(browser: Client, demo: Account) -> None:
    other = create_project(name="<b>other</b>")
    give_role(demo.user, other, "reader")
    sign_in(browser)
    page = browser.get("/login/").content.decode()
    assert escape(other.name) in page
    assert other.name not in page
    response = post(browser, "/login/project/", project_id=other.pk)
    assert response["Location"] == "/v3/volumes/detail"
    assert current_project(browser) == other.pk


def test_project_of_others_cannot_be_chosen(browser: Client, demo: Account, admin: Account) -> None:
    sign_in(browser)
    assert post(browser, "/login/project/", project_id=admin.project.pk).status_code == 404
    assert current_project(browser) == demo.project.pk


def test_choice_ends_with_the_role(browser: Client, demo: Account) -> None:
    other = create_project(name="other")
    give_role(demo.user, other, "reader")
    sign_in(browser)
    post(browser, "/login/project/", project_id=other.pk)
    demo.user.assignments.filter(project=other).delete()
    assert current_project(browser) == demo.project.pk


def test_choosing_needs_a_session(browser: Client, demo: Account) -> None:
    response = post(browser, "/login/project/", project_id=demo.project.pk)
    assert response["Location"].startswith("/login/")


def test_pages_load_nothing_from_elsewhere(browser: Client, demo: Account) -> None:
    pages = [browser.get("/login/")]
    sign_in(browser)
    pages.append(browser.get("/login/"))
    for page in pages:
        text = page.content.decode()
        assert "http:" not in text
        assert "https:" not in text
