"""Objects in a bucket: S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage.

A bucket is written, read and listed through obstore, whose errors become ours in
`object_store_errors`. An object is stored in one request: it is there whole, or not at all.
"""

import configparser
import os
import re
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from drivers.errors import DriverError, Reason
from drivers.options import Option
from drivers.repository.base import Buffer, RepositoryDriver, RepositoryStats, StoredObject
from drivers.repository.keys import (
    ends_early,
    is_key,
    is_word,
    missing_object,
    require_key,
    require_prefix,
    require_range,
)
from drivers.repository.object_store_errors import (
    is_conflict,
    is_missing_object,
    is_past_the_end,
    translated_object_store_errors,
)
from drivers.repository.probe import probe, probe_creates_once

if TYPE_CHECKING:
    from obstore.store import AzureConfig, ClientConfig, GCSConfig, RetryConfig, S3Config

Store = S3Store | GCSStore | AzureStore

ENDPOINT = re.compile(r"https?://([\w.-]+|\[[0-9a-f:.]+\])(:\d+)?(/[\w./-]*)?", re.ASCII)
CONNECT_TIMEOUT_S = 10.0
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
# What a store takes in one request to list or to delete.
PAGE = 1000


class ObjectStoreRepository(RepositoryDriver):
    """A bucket, or the part of it below a prefix."""

    @dataclass(frozen=True, kw_only=True)
    class Options:
        prefix: Annotated[
            str, Option("what the name of every object in the bucket begins with")
        ] = ""
        timeout_s: Annotated[
            float, Option("how long one request may take, with all its data", above=0)
        ] = 60.0
        retry_s: Annotated[float, Option("how long to begin again after a failure", at_least=0)] = (
            60.0
        )

    options: Options

    @abstractmethod
    def open_store(self, client: "ClientConfig", retry: "RetryConfig") -> Store:
        """Open the bucket, without asking the store for anything yet."""

    # The repository

    def check(self) -> None:
        probe(self)
        _ = self.creates_once

    @cached_property
    def creates_once(self) -> bool:
        return probe_creates_once(self, self._create)

    def stats(self) -> RepositoryStats:
        return RepositoryStats(free_bytes=None, total_bytes=None)

    # Objects

    def put(self, key: str, parts: Sequence[Buffer]) -> None:
        require_key(key)
        with translated_object_store_errors():
            obstore.put(self._store, key, payload(parts), use_multipart=False)

    def put_new(self, key: str, parts: Sequence[Buffer]) -> bool:
        require_key(key)
        if self.creates_once:
            return self._insist_on_creating(key, parts)
        if self._is_there(key):
            return False
        self.put(key, parts)
        return True

    def get(self, key: str) -> bytes:
        require_key(key)
        with translated_object_store_errors(key):
            return obstore.get(self._store, key).bytes().to_bytes()

    def get_range(self, key: str, offset: int, length: int) -> bytes:
        require_key(key)
        require_range(offset, length)
        if length == 0:  # which no request can say
            if not self._is_there(key):
                raise missing_object(key)
            return b""
        with translated_object_store_errors(key):
            try:
                content = obstore.get_range(self._store, key, start=offset, length=length)
            except BaseError as error:
                if not is_past_the_end(error):
                    raise
                raise ends_early(key, offset, length) from error
        if len(content) < length:
            raise ends_early(key, offset, length)
        return content.to_bytes()

    def list_objects(self, prefix: str) -> Iterator[StoredObject]:
        return self._list(require_prefix(prefix))

    def delete(self, keys: Iterable[str]) -> None:
        rest = iter([require_key(key) for key in keys])
        while page := list(islice(rest, PAGE)):
            self._delete_page(page)

    # How it is done

    @property
    def _store(self) -> Store:
        """The bucket; a request that fails is repeated for a while."""
        ObstoreThreads.require()
        return self._patient_store

    @cached_property
    def _patient_store(self) -> Store:
        return self._open_store(retry_s=self.options.retry_s)

    @cached_property
    def _impatient_store(self) -> Store:
        """The bucket; a request is made once."""
        return self._open_store(retry_s=None)

    def _open_store(self, *, retry_s: float | None) -> Store:
        ObstoreThreads.require()
        timeout_s = self.options.timeout_s
        client: ClientConfig = {
            "timeout": timedelta(seconds=timeout_s),
            "connect_timeout": timedelta(seconds=min(timeout_s, CONNECT_TIMEOUT_S)),
        }
        retry: RetryConfig = {
            "max_retries": 0 if retry_s is None else 1000,
            "retry_timeout": timedelta(seconds=retry_s or 0),
            "backoff": {
                "init_backoff": timedelta(seconds=FIRST_PAUSE_S),
                "max_backoff": timedelta(seconds=LONGEST_PAUSE_S),
                "base": 2,
            },
        }
        with translated_object_store_errors():
            if self.options.prefix and not is_key(self.options.prefix):
                raise ValueError(f"prefix {self.options.prefix!r}: it must look like a key")
            return self.open_store(client, retry)

    def _create(self, key: str, parts: Sequence[Buffer]) -> bool:
        """Ask once for an object to be created; False when the store says that there is one."""
        with translated_object_store_errors():
            try:
                obstore.put(
                    self._impatient_store,
                    key,
                    payload(parts),
                    mode="create",
                    use_multipart=False,
                )
            except AlreadyExistsError as error:
                if is_conflict(error):
                    raise
                return False
        return True

    def _insist_on_creating(self, key: str, parts: Sequence[Buffer]) -> bool:
        """Create an object, also when replies get lost.

        A request whose reply was lost may have been done. Repeated blindly it would find its own
        object and take it for somebody else's: so after a failure, what is there decides.
        """
        patience = Patience(self.options.retry_s)
        while True:
            try:
                return self._create(key, parts)
            except DriverError as error:
                patience.pause_after(error)
            try:
                return self.get(key) == b"".join(parts)
            except DriverError as error:
                if error.code != Reason.not_found:
                    raise

    def _delete_page(self, keys: list[str]) -> None:
        """Delete with one request. A store may do it and fail for some of the keys, as radosgw
        does while somebody stores the same object: obstore does not repeat that."""
        patience = Patience(self.options.retry_s)
        while True:
            try:
                with translated_object_store_errors():
                    try:
                        obstore.delete(self._store, keys)
                    except FileNotFoundError:  # with Google and Azure, when any is not there
                        for key in keys:
                            self._delete_one(key)
                return
            except DriverError as error:
                patience.pause_after(error)

    def _is_there(self, key: str) -> bool:
        with translated_object_store_errors():
            try:
                obstore.head(self._store, key)
            except FileNotFoundError as error:
                if not is_missing_object(error):
                    raise
                return False
        return True

    def _delete_one(self, key: str) -> None:
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError as error:
            if not is_missing_object(error):
                raise

    def _list(self, prefix: str) -> Iterator[StoredObject]:
        with translated_object_store_errors():
            for page in obstore.list(self._store, prefix or None, chunk_size=PAGE):
                for each in page:
                    if is_key(each["path"]):
                        yield StoredObject(each["path"], each["size"], each["last_modified"])


def payload(parts: Sequence[Buffer]) -> list[bytes]:
    """The parts as obstore wants them; its types know only bytes."""
    return [cast(bytes, part) for part in parts if len(part)]


class Patience:
    """Pauses between attempts, each longer than the last, while there is time for another."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._pause_s = FIRST_PAUSE_S

    def pause_after(self, error: DriverError) -> None:
        """Wait for the next attempt. Raises the error when none is worth it, or it is too late."""
        if not error.retryable or time.monotonic() + self._pause_s > self._until:
            raise error
        time.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)


class ObstoreThreads:
    """The threads that obstore works with. A fork leaves them behind, and whoever then asks it
    for anything waits for ever."""

    process: int | None = None

    @classmethod
    def require(cls) -> None:
        """Raise `failed` rather than wait for ever."""
        cls.process = cls.process or os.getpid()
        if cls.process != os.getpid():
            raise DriverError(
                "The repository cannot be used by this process; an operator must look at it.",
                code=Reason.failed,
                detail="obstore was used before the fork of this process: use threads",
            )


class S3Repository(ObjectStoreRepository):
    """A bucket of S3, or of what speaks like it, such as radosgw."""

    @dataclass(frozen=True, kw_only=True)
    class Options(ObjectStoreRepository.Options):
        bucket: Annotated[str, Option("the name of the bucket")]
        endpoint: Annotated[
            str | None, Option("where the store answers; without it, Amazon's in the region")
        ] = None
        region: Annotated[str, Option("the region of the bucket")] = "us-east-1"
        ca_file: Annotated[
            Path | None, Option("the certificates to trust besides those of the machine")
        ] = None
        access_key_id: Annotated[str | None, Option("who we are")] = None
        secret_access_key: Annotated[str | None, Option("the secret that proves it")] = field(
            default=None, repr=False
        )
        credentials_file: Annotated[
            Path | None, Option("a file with both instead, in the form of ~/.aws/credentials")
        ] = None
        profile: Annotated[str, Option("the part of that file to use")] = "default"

    options: Options

    def open_store(self, client: "ClientConfig", retry: "RetryConfig") -> Store:
        options = self.options
        config: S3Config = {"region": options.region, **self._credentials()}
        if not is_word(options.bucket):
            raise ValueError(f"bucket {options.bucket!r}: no bucket is called so")
        if options.endpoint:
            # obstore panics over an address that it does not understand; a wrong port raises here.
            if not (ENDPOINT.fullmatch(options.endpoint) and urlsplit(options.endpoint).port != 0):
                raise ValueError(f"endpoint {options.endpoint!r}: not like https://example.com")
            config["endpoint"] = options.endpoint
            client["allow_http"] = options.endpoint.startswith("http://")
        if options.ca_file:
            client["root_certificate"] = (self.home / options.ca_file).read_bytes()
        return S3Store(
            options.bucket,
            prefix=options.prefix or None,
            config=config,
            client_options=client,
            retry_config=retry,
        )

    def _credentials(self) -> "S3Config":
        """Who we are. Without any of it obstore looks into the environment, and asks the cloud."""
        options = self.options
        found = {
            "access_key_id": options.access_key_id,
            "secret_access_key": options.secret_access_key,
        }
        if options.credentials_file:
            parser = configparser.ConfigParser(interpolation=None)
            parser.read_string((self.home / options.credentials_file).read_text())
            section = parser[options.profile]
            names = ("access_key_id", "secret_access_key", "session_token")
            found = {name: section.get(f"aws_{name}") for name in names}
        return cast("S3Config", {name: value for name, value in found.items() if value})


class GcsRepository(ObjectStoreRepository):
    """A bucket of Google Cloud Storage."""

    @dataclass(frozen=True, kw_only=True)
    class Options(ObjectStoreRepository.Options):
        bucket: Annotated[str, Option("the name of the bucket")]
        service_account_file: Annotated[
            Path | None, Option("the key of the service account, as Google gives it out")
        ] = None

    options: Options

    def open_store(self, client: "ClientConfig", retry: "RetryConfig") -> Store:
        config: GCSConfig = {}
        if self.options.service_account_file:
            config["service_account"] = str(self.home / self.options.service_account_file)
        return GCSStore(
            self.options.bucket,
            prefix=self.options.prefix or None,
            config=config,
            client_options=client,
            retry_config=retry,
        )


class AzureRepository(ObjectStoreRepository):
    """A container of Azure Blob Storage."""

    @dataclass(frozen=True, kw_only=True)
    class Options(ObjectStoreRepository.Options):
        container: Annotated[str, Option("the name of the container")]
        account_name: Annotated[str, Option("the storage account")]
        account_key: Annotated[str | None, Option("its key")] = field(default=None, repr=False)

    options: Options

    def open_store(self, client: "ClientConfig", retry: "RetryConfig") -> Store:
        config: AzureConfig = {"account_name": self.options.account_name}
        if self.options.account_key:
            config["account_key"] = self.options.account_key
        return AzureStore(
            self.options.container,
            prefix=self.options.prefix or None,
            config=config,
            client_options=client,
            retry_config=retry,
        )
