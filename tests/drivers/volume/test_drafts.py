import os

import pytest

from drivers.errors import DriverError, Reason
from drivers.volume.drafts import Drafts


@pytest.fixture
def drafts(tmp_path):
    (tmp_path / "drafts").mkdir()
    return Drafts(tmp_path / "drafts")


@pytest.fixture
def target(tmp_path):
    return tmp_path / "target"


def left(drafts):
    return list(drafts.folder.iterdir())


def test_a_draft_gets_its_name_when_published(drafts, target):
    with drafts.begin("target") as draft:
        os.write(draft.descriptor, b"whole")
        assert not target.exists()
        draft.publish(target)
    assert target.read_bytes() == b"whole"
    assert target.stat().st_nlink == 1
    assert left(drafts) == []


def test_a_name_that_was_taken_meanwhile_stays(drafts, target):
    """Somebody was faster, and its volume may be in use already."""
    with drafts.begin("target") as draft:
        target.write_bytes(b"in use")
        draft.publish(target)
    assert target.read_bytes() == b"in use"
    assert left(drafts) == []


def test_a_draft_replaces_a_file(drafts, target):
    target.write_bytes(b"old")
    with drafts.begin("target") as draft:
        os.write(draft.descriptor, b"new")
        draft.replace(target)
    assert target.read_bytes() == b"new"
    assert left(drafts) == []


def test_a_draft_that_fails_is_gone(drafts):
    with pytest.raises(KeyError), drafts.begin("target"):
        raise KeyError
    assert left(drafts) == []


@pytest.mark.parametrize("way", ["publish", "replace"])
def test_a_draft_that_was_discarded_gets_no_name(drafts, target, way):
    with drafts.begin("target") as draft:
        drafts.discard("target")
        with pytest.raises(DriverError) as caught:
            getattr(draft, way)(target)
    assert caught.value.code == Reason.busy
    assert caught.value.retryable
    assert not target.exists()


def test_discarding_one_name_spares_the_others(drafts, target):
    """A volume's id is the beginning of the names of its snapshots."""
    with drafts.begin("target@snapshot") as draft:
        drafts.discard("target")
        draft.publish(target)
    assert target.exists()


def test_only_the_drafts_of_the_dead_are_abandoned(drafts, target):
    (drafts.folder / "dead.0123").write_bytes(b"half")
    with drafts.begin("target") as draft:
        drafts.discard_abandoned()
        assert left(drafts) == [draft.path]
        draft.publish(target)
    assert target.exists()
