"""Columns that only this installation can read: what a copy of the database must not give away.

    secret = SealedField(null=True)

A value is anything that JSON can say. It is encrypted with a key derived from `SECRET_KEY`; after a
change of that, with `SECRET_KEY_FALLBACKS` holding the old one, what was sealed can still be read.
"""

import base64
from functools import cache
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

PURPOSE = b"khoi sealed columns"


class SealBroken(Exception):  # noqa: N818 - it says what is the matter
    """A sealed value cannot be read: `SECRET_KEY` is not the one that it was sealed with."""


def seal(value: Any) -> str:
    """The value as text that nobody can read or change without the key."""
    return _sealer(_keys()).encrypt(orjson.dumps(value)).decode()


def unseal(text: str) -> Any:
    """What was sealed; `SealBroken` when it was with another key."""
    try:
        return orjson.loads(_sealer(_keys()).decrypt(text))
    except InvalidToken:
        raise SealBroken(
            "A sealed column cannot be read. Is STORAGE_SECRET_KEY, or the file secret_key, the "
            "one that it was written with?"
        ) from None


def _keys() -> tuple[str, ...]:
    return (settings.SECRET_KEY, *map(str, settings.SECRET_KEY_FALLBACKS))


@cache
def _sealer(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(_derive(key)) for key in keys])


def _derive(key: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(key.encode())
    return base64.urlsafe_b64encode(derived)


class SealedField(models.TextField):  # type: ignore[type-arg]  # no generic at run time
    """A column of sealed values. The same value is never the same text, so it cannot be searched
    for; only whether there is one."""

    description = "A sealed value"

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else seal(value)

    def from_db_value(self, value: str | None, expression: Any, db: BaseDatabaseWrapper) -> Any:
        return None if value is None else unseal(value)

    def get_lookup(self, lookup_name: str) -> Any:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def get_transform(self, lookup_name: str) -> None:
        return None
