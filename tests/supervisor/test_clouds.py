"""clouds.yaml: made once, kept for ever, and never more than its owner's business."""

import pytest
import yaml

from drivers.errors import ConfigurationError
from storage_project.api.versions import MAX
from storage_project.supervisor.clouds import write_clouds

AUTH_URL = "http://127.0.0.1:8776/identity/v3"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "clouds.yaml"


def test_makes_an_administrator_and_a_plain_member(path):
    admin, demo = write_clouds(path, auth_url=AUTH_URL)
    assert (admin.name, admin.role) == ("admin", "admin")
    assert (demo.name, demo.role) == ("demo", "member")
    assert admin.password != demo.password
    assert path.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(path.read_text())["clouds"]["demo"]["auth"] == {
        "auth_url": AUTH_URL,
        "username": "demo",
        "password": demo.password,
        "project_name": "demo",
        "user_domain_id": "default",
        "project_domain_id": "default",
    }


def test_asks_for_all_that_the_server_can_do(path):
    write_clouds(path, auth_url=AUTH_URL)
    clouds = yaml.safe_load(path.read_text())["clouds"]
    # Text: as a number, 3.70 would be 3.7.
    assert [cloud["volume_api_version"] for cloud in clouds.values()] == [str(MAX)] * 2


def test_keeps_the_passwords_and_follows_the_address(path):
    before = write_clouds(path, auth_url=AUTH_URL)
    assert write_clouds(path, auth_url="http://127.0.0.1:9000/identity/v3") == before
    assert "127.0.0.1:9000" in path.read_text()
    assert "127.0.0.1:8776" not in path.read_text()


def test_leaves_what_an_operator_wrote_as_it_is(path):
    write_clouds(path, auth_url=AUTH_URL)
    document = yaml.safe_load(path.read_text())
    document["clouds"]["elsewhere"] = {"auth": {"auth_url": "https://example.org"}}
    document["clouds"]["demo"]["auth"]["password"] = "chosen"
    text = "# mine\n" + yaml.safe_dump(document, sort_keys=False)
    path.write_text(text)
    _, demo = write_clouds(path, auth_url=AUTH_URL)
    assert demo.password == "chosen"
    assert path.read_text() == text


@pytest.mark.parametrize("text", ["clouds: [", "- a list", "clouds: [1]"])
def test_refuses_a_file_that_it_would_have_to_throw_away(path, text):
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=str(path)):
        write_clouds(path, auth_url=AUTH_URL)
    assert path.read_text() == text


def test_tells_a_password_that_it_has_made_from_one_that_was_there(path):
    assert [account.is_new for account in write_clouds(path, auth_url=AUTH_URL)] == [True, True]
    assert [account.is_new for account in write_clouds(path, auth_url=AUTH_URL)] == [False, False]
