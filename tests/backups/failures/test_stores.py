"""A repository on S3 whose server fails, refuses, or says nothing."""

from collections.abc import Callable, Iterator

import pytest

from storage_project.operations.models import Operation
from tests.backups.failures.site import BACKENDS, Site
from tests.ceph import ACCESS_KEY_ID, SECRET_ACCESS_KEY, S3Server
from tests.drivers.repository.unreliable import Fault, UnreliableProxy

# A request is given up after a moment, not after minutes.
ON_S3 = """
[repositories.main]
driver = "s3"
bucket = "{bucket}"
prefix = "{prefix}"
endpoint = "{endpoint}"
access_key_id = "{key}"
secret_access_key = "{secret}"
timeout_s = 2
retry_s = 0.2
"""


@pytest.fixture
def store(
    s3_server: S3Server, bucket: str, site: Site, configure: Callable[[str], None]
) -> Iterator[UnreliableProxy]:
    """What is between the service and its store."""
    with UnreliableProxy(s3_server.endpoint) as proxy:
        repository = ON_S3.format(
            bucket=bucket,
            prefix=f"failures/{site.account.project.pk}",
            endpoint=proxy.endpoint,
            key=ACCESS_KEY_ID,
            secret=SECRET_ACCESS_KEY,
        )
        configure(BACKENDS + repository)
        yield proxy


def outcomes(kind: str) -> list[str]:
    """How often the copying was tried, and how each try ended."""
    timeline = Operation.objects.filter(kind=kind).latest("created_at").timeline
    return [event["outcome"] for event in timeline if event["step"] == "provision"]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault.ERROR_500, "The repository reports a failure of its own."),
        (Fault.SILENCE, "The repository does not answer."),
        (Fault.HANGUP, "The repository does not answer."),
    ],
)
def test_what_passes_is_waited_for(
    site: Site, store: UnreliableProxy, fault: Fault, sentence: str
) -> None:
    """It is tried again until the store answers; meanwhile the operation says why it waits."""
    volume, content = site.volume()
    store.always = fault
    backup = site.ask_for_backup(volume)
    site.world.engine.look()
    assert site.backup(backup)["status"] == "creating"
    operation = site.api.get(f"/v3/operations?resource_id={backup}").json()["operations"][0]
    told = site.api.get(f"/v3/operations/{operation['id']}").json()["operation"]
    assert sentence in str(told["timeline"])
    store.always = Fault.NONE
    site.world.engine.run()
    assert site.backup(backup)["status"] == "available"
    assert outcomes("backup.create") == ["will be tried again", "done"]

    store.always = fault
    restored = site.ask_for_restore(backup)
    site.world.engine.look()  # its volume is made
    site.world.engine.pass_time()
    site.world.engine.look()
    assert site.shown_volume(restored)["status"] == "restoring-backup"
    store.always = Fault.NONE
    site.world.engine.run()
    assert site.shown_volume(restored)["status"] == "available"
    assert outcomes("backup.restore") == ["will be tried again", "done"]
    assert site.holds(restored, content)


def test_a_failure_in_the_middle(site: Site, store: UnreliableProxy) -> None:
    """Whichever request it hits, lost replies among them, it is a whole backup in the end."""
    volume, content = site.volume()
    store.next.extend([Fault.NONE, Fault.LOST_REPLY, Fault.NONE, Fault.ERROR_500] * 8)
    backup = site.back_up(volume)
    assert backup["status"] == "available", backup
    store.next.extend([Fault.NONE, Fault.CUT_REPLY, Fault.ERROR_500] * 3)
    site.require_restorable(backup["id"], content)


def test_what_does_not_pass_is_given_up(site: Site, store: UnreliableProxy) -> None:
    volume, content = site.volume()
    kept = site.back_up(volume)["id"]
    store.always = Fault.ERROR_500
    failed = site.back_up(volume)
    assert failed["status"] == "error"
    assert "main: The repository reports a failure of its own." in failed["fail_reason"]
    assert outcomes("backup.create").count("will be tried again") == 7
    assert site.shown_volume(volume)["status"] == "available"
    store.always = Fault.NONE
    site.delete(failed["id"])
    assert not site.has(failed["id"])
    site.require_restorable(kept, content)


def test_a_store_that_refuses_us(site: Site, store: UnreliableProxy) -> None:
    """Waiting would not help, so nobody waits; with the credentials mended all goes on."""
    volume, content = site.volume()
    kept = site.back_up(volume)["id"]
    sentence = "main: The repository refuses us; an operator must correct its credentials."
    store.always = Fault.ERROR_403
    failed = site.back_up(volume)
    assert (failed["status"], site.shown_volume(volume)["status"]) == ("error", "available")
    assert sentence in failed["fail_reason"]
    assert outcomes("backup.create") == ["failed"]
    restored = site.restore(kept, volume)
    assert restored["status"] == "available"  # nothing was written to it
    assert site.holds(volume, content)
    assert sentence in site.last_message()
    site.delete(kept)
    assert site.backup(kept)["status"] == "error_deleting"
    store.always = Fault.NONE
    again = site.back_up(volume)["id"]
    site.require_restorable(again, content)
    for backup in (kept, failed["id"]):
        site.delete(backup)
        assert not site.has(backup)
