"""What clients in other languages look at more closely than those in Python.

gophercloud (Terraform, cinder-csi) takes only the codes that Cinder answers, and parses every time.
"""

import re
import secrets
from typing import Any

import pytest
import requests

from tests.clients.account import Account

# Go's "2006-01-02T15:04:05.999999": no zone.
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
TIME_WITH_Z = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def done(answer: requests.Response, code: int) -> Any:
    """The document of an answer that has this code."""
    assert answer.status_code == code, answer.text
    return answer.json() if answer.content else None


def test_codes_of_volumes(admin: Account, member: Account) -> None:
    body = {"volume": {"size": 1, "name": "coded"}}
    volume = done(member.http("POST", "/v3/volumes", body), 202)["volume"]
    address = f"/v3/volumes/{volume['id']}"
    member.wait_for(volume["id"])
    for listing in ("", "/detail", "/summary"):
        done(member.http("GET", f"/v3/volumes{listing}"), 200)
    done(member.http("GET", address), 200)
    done(member.http("PUT", address, {"volume": {"name": "decoded"}}), 200)
    metadata = {"metadata": {"key": "value"}}
    for method in ("POST", "PUT"):
        assert done(member.http(method, f"{address}/metadata", metadata), 200) == metadata
    item = {"meta": {"key": "other"}}
    assert done(member.http("PUT", f"{address}/metadata/key", item), 200) == item
    assert done(member.http("GET", f"{address}/metadata/key"), 200) == item
    assert done(member.http("DELETE", f"{address}/metadata/key"), 200) is None

    def act(account: Account, action: str, arguments: object, code: int) -> None:
        answer = account.http("POST", f"{address}/action", {action: arguments})
        assert done(answer, code) is None

    act(member, "os-set_bootable", {"bootable": True}, 200)
    act(member, "os-update_readonly_flag", {"readonly": True}, 202)
    act(member, "os-extend", {"new_size": 2}, 202)
    member.wait_for_size(volume["id"], 2)
    act(admin, "os-reset_status", {"status": "error"}, 202)
    act(admin, "os-force_delete", {}, 202)
    member.wait_until_gone(volume["id"])

    volume = done(member.http("POST", "/v3/volumes", body), 202)["volume"]
    member.wait_for(volume["id"])
    assert done(member.http("DELETE", f"/v3/volumes/{volume['id']}"), 202) is None


def test_codes_of_types(admin: Account) -> None:
    body = {"volume_type": {"name": f"type-{secrets.token_hex(3)}"}}
    made = done(admin.http("POST", "/v3/types", body), 200)["volume_type"]
    address = f"/v3/types/{made['id']}"
    done(admin.http("GET", address), 200)
    done(admin.http("PUT", address, {"volume_type": {"description": "x"}}), 200)
    specs = {"extra_specs": {"a": "1"}}
    assert done(admin.http("POST", f"{address}/extra_specs", specs), 200) == specs
    assert done(admin.http("GET", f"{address}/extra_specs"), 200) == specs
    assert done(admin.http("PUT", f"{address}/extra_specs/a", {"a": "2"}), 200) == {"a": "2"}
    assert done(admin.http("DELETE", f"{address}/extra_specs/a"), 202) is None
    assert done(admin.http("DELETE", address), 202) is None


def test_codes_of_the_rest(admin: Account, member: Account) -> None:
    quotas = f"/v3/os-quota-sets/{member.project_id}"
    done(admin.http("PUT", quotas, {"quota_set": {"volumes": 5}}), 200)
    for address in (
        quotas,
        f"{quotas}?usage=true",
        f"{quotas}/defaults",
        f"{quotas}/detail",
        "/v3/os-quota-class-sets/default",
        "/v3/limits",
        "/v3/os-services",
        "/v3/scheduler-stats/get_pools?detail=true",
        "/v3/os-availability-zone",
        "/v3/messages",
        "/v3/extensions",
        "/v3/resource_filters",
        "/v3/operations",
    ):
        done(admin.http("GET", address), 200)
    done(admin.http("DELETE", quotas), 200)
    service = {"host": "box@fast", "binary": "cinder-volume"}
    done(admin.http("PUT", "/v3/os-services/enable", service), 200)


def test_codes_of_identity(admin: Account) -> None:
    at = "/identity/v3"
    name = f"coded-{secrets.token_hex(3)}"
    project = done(admin.http("POST", f"{at}/projects", {"project": {"name": name}}), 201)[
        "project"
    ]
    user_body = {"user": {"name": name, "password": "secret"}}
    user = done(admin.http("POST", f"{at}/users", user_body), 201)["user"]
    [role] = done(admin.http("GET", f"{at}/roles?name=member"), 200)["roles"]
    grant = f"{at}/projects/{project['id']}/users/{user['id']}/roles/{role['id']}"
    for method in ("PUT", "HEAD", "DELETE"):
        done(admin.http(method, grant), 204)
    done(admin.http("PATCH", f"{at}/users/{user['id']}", {"user": {"enabled": False}}), 200)
    done(admin.http("DELETE", f"{at}/users/{user['id']}"), 204)
    done(
        admin.http("PATCH", f"{at}/projects/{project['id']}", {"project": {"enabled": False}}), 200
    )
    done(admin.http("DELETE", f"{at}/projects/{project['id']}"), 204)
    token = {"X-Subject-Token": admin.session.get_token() or ""}
    done(admin.http("GET", f"{at}/auth/tokens", **token), 200)
    done(admin.http("HEAD", f"{at}/auth/tokens", **token), 200)


def test_times(admin: Account, member: Account) -> None:
    volume = member.create("timed")
    address = f"/v3/volumes/{volume.id}"
    done(member.http("PUT", address, {"volume": {"name": "later"}}), 200)
    shown = done(member.http("GET", address), 200)["volume"]
    services = done(admin.http("GET", "/v3/os-services"), 200)["services"]
    [operation] = done(member.http("GET", f"/v3/operations?resource_id={volume.id}"), 200)[
        "operations"
    ]
    times = [shown["created_at"], shown["updated_at"], operation["created_at"]]
    times += [service["updated_at"] for service in services]
    assert all(TIME.fullmatch(time) for time in times), times
    token = done(
        member.http(
            "GET",
            "/identity/v3/auth/tokens",
            **{"X-Subject-Token": member.session.get_token() or ""},
        ),
        200,
    )["token"]
    assert TIME_WITH_Z.fullmatch(token["expires_at"])
    assert TIME_WITH_Z.fullmatch(token["issued_at"])


def test_types_of_values(member: Account) -> None:
    """A struct of Go takes a text for a text and a number for a number, or fails."""
    volume = member.create("typed", metadata={"a": "b"})
    for microversion in ("3.0", "3.71"):
        answer = member.http("GET", f"/v3/volumes/{volume.id}", microversion=microversion)
        shown = done(answer, 200)["volume"]
        assert (shown["size"], shown["bootable"], shown["encrypted"]) == (1, "false", False)
        assert (shown["multiattach"], shown["attachments"]) == (False, [])
        assert (shown["metadata"], shown["volume_type"]) == ({"a": "b"}, "__DEFAULT__")
        assert [link["rel"] for link in shown["links"]] == ["self", "bookmark"]
        missing = {"description", "snapshot_id", "source_volid", "replication_status"}
        assert all(shown[name] is None for name in missing)
        # For administrators only.
        assert not {"os-vol-host-attr:host", "os-vol-mig-status-attr:migstat"} & shown.keys()


def test_operation_of_a_request(member: Account) -> None:
    """What Khoi adds: how far a request is, and how it went."""
    made = done(member.http("POST", "/v3/volumes", {"volume": {"size": 1}}), 202)["volume"]
    member.wait_for(made["id"])
    [listed] = requests.get(
        made["operations"], headers={"X-Auth-Token": member.session.get_token() or ""}, timeout=60
    ).json()["operations"]
    assert (listed["kind"], listed["status"]) == ("volume.create", "succeeded")
    shown = done(member.http("GET", f"/v3/operations/{listed['id']}"), 200)["operation"]
    steps = [entry["step"] for entry in shown["timeline"] if entry["event"] == "step"]
    assert steps == ["validate", "schedule", "provision", "report"]
    moves = [entry["became"] for entry in shown["timeline"] if entry["event"] == "status"]
    assert moves == ["creating", "available"]


def test_the_same_request_twice(member: Account) -> None:
    key = {"Idempotency-Key": secrets.token_hex()}
    body = {"volume": {"size": 1}}
    first, second = (member.http("POST", "/v3/volumes", body, **key) for _ in range(2))
    assert done(first, 202) == done(second, 202)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(done(member.http("GET", "/v3/volumes"), 200)["volumes"]) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "envelope"),
    [
        ("GET", "/v3/volumes/nonsense", None, 404, "itemNotFound"),
        ("GET", "/v3/volumes/8c3f02f8-36f6-4c0a-8d0e-0c9c6a3ab0d2", None, 404, "itemNotFound"),
        ("GET", "/v3/nonsense", None, 404, "itemNotFound"),
        ("GET", "/v3/volumes?marker=nonsense", None, 400, "badRequest"),
        ("GET", "/v3/volumes?limit=-1", None, 400, "badRequest"),
        ("POST", "/v3/volumes", {"volume": {"size": "1.5"}}, 400, "badRequest"),
        ("POST", "/v3/volumes", {"volume": {}}, 400, "badRequest"),
        ("POST", "/v3/volumes", {"size": 1}, 400, "badRequest"),
        ("POST", "/v3/volumes", [], 400, "badRequest"),
        ("POST", "/v3/types", {"volume_type": {"name": "mine"}}, 403, "forbidden"),
        ("PUT", "/v3/volumes", {}, 405, "badMethod"),
    ],
)
def test_faults(
    demo: Account, method: str, path: str, body: object, code: int, envelope: str
) -> None:
    fault = done(demo.http(method, path, body), code)
    assert fault.keys() == {envelope}
    assert fault[envelope]["code"] == code
    assert fault[envelope]["message"]


def test_over_limit(admin: Account, member: Account) -> None:
    """The CSI driver tells a full quota from other errors by this."""
    admin.connection.block_storage.update_quota_set(member.project_id, gigabytes=1)
    answer = member.http("POST", "/v3/volumes", {"volume": {"size": 2}})
    fault = done(answer, 413)["overLimit"]
    assert answer.headers["Retry-After"] == fault["retryAfter"] == "0"
    assert (fault["code"], "gigabytes" in fault["message"]) == (413, True)
