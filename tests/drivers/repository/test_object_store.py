"""S3 against a real server, radosgw, and against that server behind a proxy that fails."""

import json
import os
import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from obstore.store import AzureStore, GCSStore

from drivers.errors import DriverError, Reason
from drivers.options import read_options
from drivers.repository.object_store import AzureRepository, GcsRepository, S3Repository
from drivers.units import KIB, MIB
from tests.ceph import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from tests.contracts.repository_driver import RepositoryContract, keys_of, refused
from tests.drivers.repository.unreliable import Fault, UnreliableProxy

NEVER_SHOWN = (SECRET_ACCESS_KEY, "Signature", "Credential")


def s3_repository(server, bucket, **options) -> S3Repository:
    values = {
        "bucket": bucket,
        "endpoint": server.endpoint,
        "access_key_id": ACCESS_KEY_ID,
        "secret_access_key": SECRET_ACCESS_KEY,
        "prefix": f"khoi/{secrets.token_hex(8)}",
        "timeout_s": 60,
        **options,
    }
    options = read_options(S3Repository.Options, values, where="repositories.offsite")
    return S3Repository(options, name="offsite", home=Path("/"))


def checked(repository: S3Repository) -> S3Repository:
    repository.check()
    return repository


class TestS3Repository(RepositoryContract):
    @pytest.fixture
    def repository(self, s3_server, bucket):
        repository = checked(s3_repository(s3_server, bucket))
        assert repository.creates_once
        return repository

    @pytest.fixture
    def full_repository(self, s3_server):
        """The bucket of somebody who may store 512 KiB."""
        access_key_id = s3_server.make_user(quota_bytes=512 * KIB)
        bucket = s3_server.make_bucket(access_key_id)
        return checked(s3_repository(s3_server, bucket, access_key_id=access_key_id))


class TestS3RepositoryThatDoesNotCreateOnce(RepositoryContract):
    """A bucket with versions: radosgw then ignores that an object is to be new."""

    @pytest.fixture
    def repository(self, s3_server):
        repository = checked(s3_repository(s3_server, s3_server.make_bucket(versioned=True)))
        assert not repository.creates_once
        return repository

    @pytest.fixture
    def full_repository(self, s3_server):
        access_key_id = s3_server.make_user(quota_bytes=512 * KIB)
        bucket = s3_server.make_bucket(access_key_id, versioned=True)
        return checked(s3_repository(s3_server, bucket, access_key_id=access_key_id))


@pytest.fixture
def proxy(s3_server):
    with UnreliableProxy(s3_server.endpoint) as proxy:
        yield proxy


@pytest.fixture
def repository(proxy, bucket):
    """Checked, behind the proxy, and gives up after two seconds."""
    return checked(s3_repository(proxy, bucket, timeout_s=1, retry_s=1))


ACTS = {
    "put": lambda repository: repository.put("packs/00/b", [b"x"]),
    "put_new": lambda repository: repository.put_new("packs/00/b", [b"x"]),
    "get": lambda repository: repository.get("config"),
    "get_range": lambda repository: repository.get_range("config", 1, 2),
    "get_range of nothing": lambda repository: repository.get_range("config", 1, 0),
    "list": keys_of,
    "delete": lambda repository: repository.delete(["config"]),
}


# A store that fails


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("fault", [Fault.ERROR_500, Fault.SILENCE, Fault.HANGUP])
def test_a_store_that_fails_is_worth_a_retry_later(proxy, repository, act, fault):
    repository.put("config", [b"hello"])
    options = replace(repository.options, retry_s=0.2)
    hasty = checked(S3Repository(options, name="offsite", home=Path("/")))
    proxy.always = fault
    with refused(Reason.unavailable, retryable=True):
        ACTS[act](hasty)
    proxy.always = Fault.NONE
    assert keys_of(repository) == ["config"]
    ACTS[act](repository)


@pytest.mark.parametrize("act", ACTS)
def test_a_store_that_refuses_us_is_not(proxy, repository, act):
    repository.put("config", [b"hello"])
    proxy.always = Fault.ERROR_403
    with refused(Reason.unavailable):
        ACTS[act](repository)


@pytest.mark.parametrize("act", ACTS)
def test_a_store_that_nobody_runs(repository, act, bucket, s3_server):
    away = s3_repository(s3_server, bucket, endpoint="http://127.0.0.1:9", retry_s=0.5)
    with refused(Reason.unavailable, retryable=True):
        ACTS[act](away)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("fault", [Fault.ERROR_500, Fault.LOST_REPLY, Fault.HANGUP])
def test_a_short_failure_is_not_noticed(proxy, repository, act, fault):
    repository.put("config", [b"hello"])
    expected = {"put_new": True, "get": b"hello", "get_range": b"el", "get_range of nothing": b""}
    expected["list"] = ["config"]
    proxy.next.extend([fault] * 2)
    assert ACTS[act](repository) == expected.get(act)


@pytest.mark.parametrize("fault", [Fault.CUT_REPLY, Fault.STALLED_REPLY])
def test_a_reply_that_ends_early_is_asked_for_again(proxy, bucket, fault):
    repository = s3_repository(proxy, bucket, timeout_s=1, retry_s=2)
    content = os.urandom(MIB)
    repository.put("packs/00/a", [content])
    for get in (
        lambda: repository.get("packs/00/a"),
        lambda: repository.get_range("packs/00/a", 0, MIB),
    ):
        proxy.next.append(fault)
        assert get() == content
        proxy.always = fault
        with refused(Reason.unavailable, retryable=True):
            get()
        proxy.always = Fault.NONE


def test_a_lost_reply_does_not_make_our_own_object_somebody_elses(proxy, repository):
    proxy.next.append(Fault.LOST_REPLY)
    assert repository.put_new("backups/v/one", [b"ou", b"rs"]) is True
    repository.put("backups/v/two", [b"theirs"])
    proxy.next.append(Fault.ERROR_500)
    assert repository.put_new("backups/v/two", [b"ours"]) is False
    assert repository.get("backups/v/two") == b"theirs"


def test_a_delete_goes_on_past_what_is_not_there(proxy, repository):
    """As Google and Azure have it: they refuse to delete what is not there."""
    for key in ("a", "b"):
        repository.put(key, [b"x"])
    proxy.next.append(Fault.ERROR_404)
    repository.delete(["a", "b"])
    assert keys_of(repository) == []


# A store that is not set up


@pytest.mark.parametrize("act", ["check", *ACTS])
def test_a_wrong_secret(s3_server, bucket, act):
    repository = s3_repository(s3_server, bucket, secret_access_key="wrong")
    with refused(Reason.unavailable):
        ACTS.get(act, S3Repository.check)(repository)


@pytest.mark.parametrize("act", ["check", "put", "put_new", "get", "list", "delete"])
def test_a_bucket_that_is_not_there_passes_for_nothing_else(s3_server, act):
    """An object above all is not gone, it is out of sight."""
    with refused(Reason.unavailable):
        ACTS.get(act, S3Repository.check)(s3_repository(s3_server, "no-such-bucket"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "127.0.0.1:8000"},
        {"endpoint": "http://"},
        {"endpoint": "ftp://example.com"},
        {"endpoint": "https://exa mple.com"},
        {"endpoint": "https://example.com:x"},
        {"endpoint": "https://example.com:70000"},
        {"bucket": "a b"},
        {"bucket": ""},
        {"prefix": "../a"},
        {"prefix": "a//b"},
        {"ca_file": "/etc/hostname"},
        {"ca_file": "/etc/none"},
    ],
)
def test_a_wrong_configuration_is_no_reason_to_wait(s3_server, bucket, wrong):
    repository = s3_repository(s3_server, **{"bucket": bucket, **wrong})
    for act in (repository.check, lambda: repository.get("config")):
        with refused(Reason.unavailable):
            act()


def test_credentials_of_a_file(s3_server, bucket, tmp_path):
    file = tmp_path / "credentials"
    parts = {"default": ("nobody", "x"), "khoi": (ACCESS_KEY_ID, SECRET_ACCESS_KEY)}
    with file.open("w") as lines:
        for name, (key_id, key) in parts.items():
            print(f"[{name}]\naws_access_key_id={key_id}\naws_secret_access_key={key}", file=lines)
    values = {"bucket": bucket, "endpoint": s3_server.endpoint, "credentials_file": "credentials"}

    def repository(**more) -> S3Repository:
        options = read_options(S3Repository.Options, values | more, where="repositories.offsite")
        return S3Repository(options, name="offsite", home=tmp_path)

    repository(profile="khoi", prefix="credentials").check()
    for wrong in ({}, {"profile": "none"}, {"credentials_file": "none"}):
        with refused(Reason.unavailable):
            repository(**wrong).check()


def test_credentials_of_the_environment(s3_server, bucket, monkeypatch):
    values = {"bucket": bucket, "endpoint": s3_server.endpoint, "prefix": "environment"}
    options = read_options(S3Repository.Options, values, where="repositories.offsite")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
    S3Repository(options, name="offsite", home=Path("/")).check()


def test_secrets_are_never_shown(proxy, bucket):
    repository = s3_repository(proxy, bucket, retry_s=0)
    shown = [repr(repository.options), repr(repository), repr(repository.put("config", [b"x"]))]
    for fault in (Fault.ERROR_403, Fault.ERROR_500, Fault.ERROR_404):
        proxy.always = fault
        for act in ACTS.values():
            try:
                act(repository)
            except DriverError as error:
                shown.append(repr(error))
    assert len(shown) > 10
    for text in shown:
        assert not any(
            each in text.replace(f"access_key_id='{ACCESS_KEY_ID}'", "") for each in NEVER_SHOWN
        )


# Others


def test_what_belongs_to_others_is_not_ours(s3_server, bucket):
    """Two repositories in one bucket, one beginning with the other's name."""
    one, two = (s3_repository(s3_server, bucket, prefix=each) for each in ("shared", "shared2"))
    one.put("config", [b"1"])
    two.put("config", [b"2"])
    assert keys_of(one) == keys_of(two) == ["config"]
    one.delete(["config"])
    assert two.get("config") == b"2"
    two.delete(["config"])


def test_a_process_that_was_forked_afterwards_does_not_wait_for_ever(s3_server, bucket):
    repository = checked(s3_repository(s3_server, bucket))
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            repository.get("config")
        except DriverError as error:
            os.write(writer, error.sentence.encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    assert b"cannot be used by this process" in os.read(reader, 1000)
    os.close(reader)


def test_google_and_azure_can_be_set_up(tmp_path):
    """There is no such server here: what they share with S3 is tested with S3."""
    rsa_key = rsa.generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    account = {
        "type": "service_account",
        "private_key": rsa_key.decode(),
        "private_key_id": "1",
        "client_email": "khoi@example.com",
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    secret = "c2VjcmV0LWtleQ=="
    azure = {"container": "backups", "account_name": "khoi", "account_key": secret, "prefix": "a"}
    for cls, values, store in (
        (GcsRepository, {"bucket": "b", "service_account_file": "account.json"}, GCSStore),
        (AzureRepository, azure, AzureStore),
    ):
        options = read_options(cls.Options, values, where="repositories.cloud")
        repository = cls(options, name="cloud", home=tmp_path)
        assert secret not in repr(options)
        assert isinstance(repository.open_store({}, {}), store)
        with refused(Reason.invalid):
            repository.put("../config", [b"x"])
