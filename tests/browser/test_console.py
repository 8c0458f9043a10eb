"""The console's pages as a whole: who comes in, where they lead, how they look."""

import pytest
from selenium.webdriver.common.by import By

from backups.models import Backup
from backups.services.backups import create_backup
from storage_project.identity.caller import Caller
from storage_project.identity.models import Project, User
from storage_project.identity.services import create_user
from storage_project.operations.models import Operation
from tests.browser.conftest import PASSWORD
from tests.browser.window import Window
from tests.factories import ServerFactory
from tests.operations.engine import Engine
from volumes.models import Server, Volume
from volumes.services.attachments import create_attachment
from volumes.services.quotas import set_limits
from volumes.services.snapshots import create_snapshot
from volumes.services.types import ensure_default_type
from volumes.services.volumes import create_volume

LISTS = {
    "/admin/volumes/volume/": "Volumes",
    "/admin/volumes/snapshot/": "Snapshots",
    "/admin/volumes/attachment/": "Attachments",
    "/admin/backups/backup/": "Backups",
    "/admin/volumes/server/": "Servers",
    "/admin/volumes/volumetype/": "Volume types",
    "/admin/volumes/service/": "Services",
    "/admin/volumes/pool/": "Pools",
    "/admin/volumes/quotausage/": "Quota usages",
    "/admin/volumes/quotalimit/": "Quota limits",
    "/admin/operations/operation/": "Operations",
    "/admin/operations/message/": "Messages",
    "/admin/operations/transition/": "Transitions",
}


@pytest.fixture
def volume(storage: object, project: Project, caller: Caller) -> Volume:
    """One that was made, beside one that no backend could take, so that every list has rows."""
    set_limits(project_id=project.pk, limits={"volumes": 5})
    kind = ensure_default_type()
    create_volume(caller=caller, size_gib=400, volume_type=kind, name="too-large")
    made = create_volume(caller=caller, size_gib=2, volume_type=kind, name="letters")
    Engine().run()
    create_snapshot(volume=Volume.objects.get(pk=made.pk), caller=caller, name="before")
    Engine().run()
    create_backup(volume=Volume.objects.get(pk=made.pk), caller=caller, name="sunday")
    Engine().run()
    create_attachment(volume=Volume.objects.get(pk=made.pk), caller=caller)
    ServerFactory(project_id=project.pk)
    return made


def pages_of(volume: Volume) -> list[str]:
    operation = Operation.objects.filter(resource_id=volume.pk).get()
    return [
        "/admin/",
        *LISTS,
        f"/admin/volumes/volume/{volume.pk}/change/",
        f"/admin/volumes/snapshot/{volume.snapshots.get().pk}/change/",
        f"/admin/backups/backup/{Backup.objects.get().pk}/change/",
        f"/admin/volumes/attachment/{volume.attachments.get().pk}/change/",
        f"/admin/operations/operation/{operation.pk}/change/",
        f"/admin/volumes/volumetype/{volume.volume_type_id}/change/",
        f"/admin/volumes/server/{Server.objects.get().pk}/change/",
        "/admin/volumes/quotalimit/add/",
    ]


def test_only_operators_come_in(window: Window, operator: User) -> None:
    create_user(name="demo", password=PASSWORD)
    window.open("/admin/volumes/volume/")
    window.fill("Name", "demo")
    window.fill("Password", PASSWORD)
    window.press("Log in")
    assert "Please enter the correct name and password" in window.text

    window.fill("Name", operator.name)
    window.fill("Password", PASSWORD)
    window.press("Log in")
    assert window.path == "/admin/volumes/volume/"
    assert window.heading == "Volumes"

    window.press("Sign out")
    window.open("/admin/")
    assert "Log in" in window.find("[type=submit]").get_attribute("value")


def test_the_start_page_is_khois_and_leads_everywhere(console: Window) -> None:
    assert console.heading == "Block storage"
    assert console.find("#site-name").text == "Khoi"
    links = {link.text: link.get_attribute("href") for link in console.find_all("#user-tools a")}
    assert links["API"] == f"{console.address}/v3/volumes/detail"
    assert links["Flower"] == "http://localhost:5555/"
    # What people come for first, and nothing that means nothing here.
    assert [caption.text for caption in console.find_all("main caption")] == [
        "Volumes",
        "Backups",
        "Operations",
        "Identity",
    ]


def test_every_list_says_what_it_is_and_has_rows(console: Window, volume: Volume) -> None:
    for path, heading in LISTS.items():
        console.open(path)
        assert console.heading == heading
        assert console.rows(), f"{heading} is empty"


def test_nothing_comes_from_another_host_and_nothing_is_missing(
    console: Window, volume: Volume
) -> None:
    for path in pages_of(volume):
        console.open(path)
        strangers = [url for url in console.loaded if not url.startswith(console.address)]
        assert not strangers, f"{path} loads {strangers}"
    assert not console.complaints


def test_no_page_is_wider_than_a_phone(console: Window, volume: Volume) -> None:
    console.look(width=400)
    for path in pages_of(volume):
        console.open(path)
        assert not console.is_too_wide, path


def test_the_night_is_dark_and_words_can_still_be_read(console: Window, volume: Volume) -> None:
    """Contrast of the badges, the only colours on colours that are not Django's own."""
    for dark in (False, True):
        console.look(width=1400, dark=dark)
        console.open("/admin/volumes/volume/")
        ground = luminance(console.find("body").value_of_css_property("background-color"))
        assert (ground < 0.1) is dark
        for badge in console.find_all(".badge"):
            ink = luminance(badge.value_of_css_property("color"))
            behind = luminance(badge.value_of_css_property("background-color"))
            contrast = (max(ink, behind) + 0.05) / (min(ink, behind) + 0.05)
            assert contrast >= 4.5, f"{badge.text}, dark: {dark}"


def luminance(color: str) -> float:
    """WCAG's relative luminance of `rgb(…)` or `rgba(…)`."""
    parts = [float(part) / 255 for part in color[color.index("(") + 1 : -1].split(",")[:3]]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_lists_are_searched_and_filtered(console: Window, volume: Volume) -> None:
    console.open("/admin/volumes/volume/")
    assert len(console.rows()) == 2

    console.fill("Find", str(volume.pk)[:8])
    console.press("Search")
    assert [row for row in console.rows() if "letters" in row] == console.rows()

    console.open("/admin/volumes/volume/")
    console.follow("in error")
    assert [row for row in console.rows() if "too-large" in row] == console.rows()

    console.open("/admin/operations/operation/")
    console.follow("failed")
    (row,) = console.rows()
    assert "volume.create" in row
    assert "schedule" in row


def test_a_new_password_ends_the_tokens_of_the_old_one(console: Window, operator: User) -> None:
    console.find("#user-tools").find_element(By.LINK_TEXT, operator.name).click()
    console.fill("Old password", PASSWORD)
    console.fill("New password", "battery staple 9")
    console.fill("New password confirmation", "battery staple 9")
    console.press("Change my password")
    assert console.heading == "Password change successful"
    operator.refresh_from_db()
    assert operator.check_password("battery staple 9")
