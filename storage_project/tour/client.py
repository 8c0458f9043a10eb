"""One user of the Block Storage API, over plain HTTP with a token: what any program can do."""

from collections.abc import Mapping
from copy import copy
from http.client import HTTPConnection, HTTPException
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import orjson

from storage_project.supervisor.clouds import Account
from storage_project.tour.trouble import Trouble

MICROVERSION = "volume 3.71"
TIMEOUT_S = 30


class Refused(Trouble):
    """The API answered with an error."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(f"The API answers {status}: {sentence}")
        self.status = status


class Client:
    """Signed in as one account, in the project of that account's name.

    Every call returns the answer's body; an answer that is an error raises `Refused`, and none at
    all `Trouble`.
    """

    def __init__(self, url: str, account: Account) -> None:
        self._host = urlsplit(url).netloc
        self._root = "/v3"
        self._token = ""
        self._token, self.project_id = self._sign_in(account)

    def at(self, root: str) -> Self:
        """The same user of another API of this address."""
        other = copy(self)
        other._root = root
        return other

    def get(self, path: str, **query: object) -> Any:
        return self._ask("GET", _with_query(path, query))

    def post(self, path: str, body: object) -> Any:
        return self._ask("POST", path, body)

    def put(self, path: str, body: object) -> Any:
        return self._ask("PUT", path, body)

    def delete(self, path: str, **query: object) -> None:
        self._ask("DELETE", _with_query(path, query))

    def _sign_in(self, account: Account) -> tuple[str, str]:
        domain = {"id": "default"}
        user = {"name": account.name, "password": account.password, "domain": domain}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": account.name, "domain": domain}},
            }
        }
        headers, answer = self._send("POST", "/identity/v3/auth/tokens", body)
        return headers["X-Subject-Token"], answer["token"]["project"]["id"]

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        return self._send(method, f"{self._root}{path}", body)[1]

    def _send(self, method: str, path: str, body: object) -> tuple[dict[str, str], Any]:
        headers = {"OpenStack-API-Version": MICROVERSION, "Accept": "application/json"}
        if self._token:
            headers["X-Auth-Token"] = self._token
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = HTTPConnection(self._host, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, orjson.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException) as error:
            raise Trouble(f"{method} {path} gets no answer: {error}.") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise Refused(answer.status, _sentence(text))
        return dict(answer.headers), orjson.loads(text) if text else None


def _with_query(path: str, query: Mapping[str, object]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _sentence(text: bytes) -> str:
    """What an error says: `{"<kind>": {"code": …, "message": "…"}}`."""
    try:
        (fault,) = orjson.loads(text).values()
        return str(fault["message"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return text[:200].decode(errors="replace") or "nothing more"
