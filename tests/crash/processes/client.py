"""A user of the API who does not give up: what has no answer is asked again, with the same key."""

import time
from collections.abc import Mapping
from secrets import token_hex
from typing import Any

import requests

PATIENCE_S = 120
REQUEST_TIMEOUT_S = 60
PAUSE_S = 0.2
LARGEST_PAGE = 1000


class Client:
    """One connection to the API at `url`, for one thread; signed in once it has a token."""

    def __init__(self, url: str, token: str = "") -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy between the tests and what they test
        self._session.headers["OpenStack-API-Version"] = "volume 3.71"
        if token:
            self._session.headers["X-Auth-Token"] = token

    def sign_in(self, auth: Mapping[str, str]) -> str:
        """A token for the `auth` of a clouds.yaml."""
        domain = {"domain": {"id": "default"}}
        user = {"name": auth["username"], "password": auth["password"], **domain}
        scope = {"project": {"name": auth["project_name"], **domain}}
        identity = {"methods": ["password"], "password": {"user": user}}
        answer = self.send(
            "POST", "/identity/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}}
        )
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]

    def send(self, method: str, path: str, body: object = None) -> requests.Response:
        """Send until there is an answer, one key for all tries: so a POST has one effect."""
        headers = {"Idempotency-Key": token_hex(16)} if method == "POST" else {}
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                answer = self._session.request(
                    method, self._url + path, json=body, headers=headers, timeout=REQUEST_TIMEOUT_S
                )
            # The web server was killed, before its answer or in the middle of it.
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                if time.monotonic() > deadline:
                    raise
            else:
                if answer.status_code != 503 or time.monotonic() > deadline:
                    return answer
            time.sleep(PAUSE_S)

    def get(self, path: str) -> Any:
        """The decoded answer of a GET that must work."""
        answer = self.send("GET", path)
        assert answer.ok, answer.text
        return answer.json()

    def create(self, size_gib: int = 1, **fields: object) -> requests.Response:
        return self.send("POST", "/v3/volumes", {"volume": {"size": size_gib, **fields}})

    def act(self, volume_id: str, action: str, body: object = None) -> requests.Response:
        return self.send("POST", f"/v3/volumes/{volume_id}/action", {action: body})

    def delete(self, volume_id: str) -> requests.Response:
        return self.send("DELETE", f"/v3/volumes/{volume_id}")

    def operations(self, **filters: str) -> list[dict[str, Any]]:
        """Those that the filters leave, newest first; all pages, unless there is a limit."""
        found: list[dict[str, Any]] = []
        filters = {"limit": str(LARGEST_PAGE), **filters}
        while True:
            query = "&".join(f"{name}={value}" for name, value in filters.items())
            page = self.get(f"/v3/operations?{query}")["operations"]
            found += page
            if len(page) < LARGEST_PAGE:
                return found
            filters["marker"] = page[-1]["id"]
