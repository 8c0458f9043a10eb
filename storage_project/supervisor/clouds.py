"""`clouds.yaml`: how `openstack`, the SDK and the other clients sign in as `admin` and `demo`."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from drivers.errors import ConfigurationError
from storage_project.api import versions

# Cloud, user and project have one name; the role says what the user is in the project.
ROLES = {"admin": "admin", "demo": "member"}


@dataclass(frozen=True)
class Account:
    """A user with a project of the same name. `is_new`: the password was made just now."""

    name: str
    password: str
    role: str
    is_new: bool = field(default=False, compare=False)


def write_clouds(path: Path, *, auth_url: str) -> list[Account]:
    """Make the file, or set the address right in the one that is there, and return its accounts.

    A password that is there is kept, and so are clouds that are not ours. Only the owner may read
    the file. `ConfigurationError` when it is not what it should be.
    """
    document = _read(path)
    before = repr(document)
    clouds = document.setdefault("clouds", {})
    accounts = []
    for name, role in ROLES.items():
        known = _password_in(clouds.get(name))
        password = known or secrets.token_urlsafe(15)
        clouds[name] = _cloud(name, password, auth_url)
        accounts.append(Account(name, password, role, is_new=known is None))
    if repr(document) != before:
        _replace(path, yaml.safe_dump(document, sort_keys=False))
    return accounts


def _cloud(name: str, password: str, auth_url: str) -> dict[str, Any]:
    return {
        "auth": {
            "auth_url": auth_url,
            "username": name,
            "password": password,
            "project_name": name,
            "user_domain_id": "default",
            "project_domain_id": "default",
        },
        "region_name": "RegionOne",
        "identity_api_version": 3,
        # All that the server can do. With "3" the SDK and `openstack` would send no microversion,
        # and messages, or the limits of another project, would be out of their reach.
        "volume_api_version": str(versions.MAX),
    }


def _password_in(cloud: object) -> str | None:
    auth = cloud.get("auth") if isinstance(cloud, Mapping) else None
    password = auth.get("password") if isinstance(auth, Mapping) else None
    return str(password) if password else None


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        return {}
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: is not YAML: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("clouds", {}), dict):
        raise ConfigurationError(f"{path}: must be a mapping with the key `clouds`")
    return document


def _replace(path: Path, text: str) -> None:
    """Whole or not at all: a client may read it at any moment."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
