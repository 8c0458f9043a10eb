"""A user with every client that there is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
import yaml
from cinderclient.client import Client as CinderClient
from keystoneauth1.session import Session
from openstack.block_storage.v3.volume import Volume
from openstack.config import OpenStackConfig
from openstack.connection import Connection

from tests.clients.command_line import CommandLine
from tests.stack import wait_until


@dataclass(frozen=True)
class Account:
    """A cloud of clouds.yaml: its user, signed in in every way."""

    name: str
    clouds: Path

    @cached_property
    def auth(self) -> Mapping[str, str]:
        """How the user signs in."""
        document = yaml.safe_load(self.clouds.read_text())
        auth: Mapping[str, str] = document["clouds"][self.name]["auth"]
        return auth

    @cached_property
    def openstack(self) -> CommandLine:
        """The command `openstack`, told nothing but where clouds.yaml is."""
        return CommandLine(
            "openstack", {"OS_CLIENT_CONFIG_FILE": str(self.clouds), "OS_CLOUD": self.name}
        )

    @cached_property
    def cinder(self) -> CommandLine:
        """The command `cinder`, which does not read clouds.yaml."""
        return CommandLine("cinder", {f"OS_{key.upper()}": self.auth[key] for key in self.auth})

    @cached_property
    def connection(self) -> Connection:
        """openstacksdk."""
        return self.connect()

    def connect(self, **overrides: Any) -> Connection:
        """openstacksdk, with something in the cloud set otherwise."""
        config = OpenStackConfig(config_files=[str(self.clouds)], load_envvars=False)
        return Connection(config=config.get_one(cloud=self.name, **overrides))

    def cinderclient(self, microversion: str = "3.71") -> Any:
        """python-cinderclient as a library."""
        return CinderClient(microversion, session=self.session)

    @property
    def session(self) -> Session:
        return self.connection.session

    @cached_property
    def project_id(self) -> str:
        project_id = self.connection.current_project_id
        assert project_id
        return project_id

    @cached_property
    def url(self) -> str:
        """Where the server is."""
        return self.auth["auth_url"].removesuffix("/identity/v3")

    def http(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        microversion: str | None = "3.71",
        **headers: str,
    ) -> requests.Response:
        """A request without any client, for what the clients do not look at."""
        version = {"OpenStack-API-Version": f"volume {microversion}"} if microversion else {}
        token = {"X-Auth-Token": self.session.get_token() or ""}
        return requests.request(
            method,
            self.url + path,
            json=body,
            headers={**token, **version, **headers},
            timeout=60,
            allow_redirects=False,
        )

    def create(self, name: str, **values: Any) -> Volume:
        """A volume that is ready."""
        volume = self.connection.block_storage.create_volume(name=name, **{"size": 1} | values)
        return self.wait_for(volume.id)

    def wait_for(self, volume: str, status: str = "available") -> Volume:
        """Wait until a volume, by name or id, has a status."""
        return self._wait(volume, lambda found: found.status == status, status)

    def wait_for_size(self, volume: str, size: int) -> Volume:
        """Wait until a volume is this large and nothing goes on with it."""
        return self._wait(
            volume, lambda found: found.size == size and found.status == "available", f"{size} GiB"
        )

    def wait_until_gone(self, volume: str) -> None:
        """Wait until there is no volume of this name or id."""
        find = self.connection.block_storage.find_volume
        wait_until(lambda: find(volume) is None, f"the end of {volume}")

    def _wait(self, volume: str, true: Callable[[Volume], bool], what: str) -> Volume:
        def found() -> Volume:
            return self.connection.block_storage.find_volume(volume, ignore_missing=False)

        wait_until(lambda: true(found()), f"{volume} to be {what}")
        return found()
