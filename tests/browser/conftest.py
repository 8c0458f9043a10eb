"""A real browser before the pages of a live server: Debian's Chromium, without a screen."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer
from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from drivers.volume.base import VolumeDriver
from storage_project.config import configuration
from storage_project.identity.caller import Caller
from storage_project.identity.models import Project, User
from storage_project.identity.services import create_user
from tests.browser.window import Window
from tests.factories import ProjectFactory
from volumes.backends import open_backend

PASSWORD = "correct horse"
# Root needs --no-sandbox; the others keep it from calling home, which fails slowly without a net.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
BACKENDS = """
[backends.fast]
driver = "memory"
capacity_gib = 100
max_over_subscription_ratio = 1.0
preference = 1

[backends.slow]
driver = "memory"
capacity_gib = 200
max_over_subscription_ratio = 1.0

[repositories.main]
driver = "memory"
"""


@pytest.fixture(scope="package")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One browser for all tests."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        pytest.skip("no page was seen: Debian's packages chromium and chromium-driver are missing")
    options = ChromeOptions()
    options.binary_location = browser
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    chrome = Chrome(options=options, service=ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture
def window(chromium: Chrome, live_server: LiveServer) -> Window:
    """An empty window on the live server, where nobody is signed in."""
    return Window(chromium, live_server.url)


@pytest.fixture
def operator(transactional_db: None) -> User:
    return create_user(name="olga", password=PASSWORD, is_staff=True)


@pytest.fixture
def project(transactional_db: None, caller: Caller) -> Project:
    """The project of the caller."""
    return ProjectFactory(id=caller.project_id, name=caller.project_name)


@pytest.fixture
def console(window: Window, operator: User) -> Window:
    """The start page of the console, with an operator signed in."""
    window.open("/admin/")
    window.fill("Name", operator.name)
    window.fill("Password", PASSWORD)
    window.press("Log in")
    return window


@pytest.fixture
def storage(
    transactional_db: None, settings: Settings, configure: Callable[[str], None]
) -> dict[str, VolumeDriver]:
    """Two simulated backends of the machine `box`; `fast` is taken first."""
    settings.STORAGE_HOST = "box"
    configure(BACKENDS)
    return {name: open_backend(name) for name in configuration().backends}
