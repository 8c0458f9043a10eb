"""Finding rows by the beginning of an id."""

from uuid import UUID

import pytest
from django.test import Client

from storage_project.console.search import id_range
from tests.factories import OperationFactory, VolumeFactory

ID = UUID("3f2a9c00-1111-4222-8333-444455556666")


@pytest.mark.parametrize("text", ["3f2a", "3F2A9C00", " 3f2a9c00-1111 ", str(ID), ID.hex])
def test_the_beginning_of_an_id(text: str) -> None:
    ids = id_range(text)
    assert ids
    assert ids[0] <= ID <= ids[1]
    assert not ids[0] <= UUID(int=ID.int ^ (1 << 127)) <= ids[1]


@pytest.mark.parametrize("text", ["", "3f2", "photos", "3f2a9c0g", f"{ID}0"])
def test_no_id(text: str) -> None:
    assert id_range(text) is None


def test_volumes_are_found_by_id_and_by_name(console: Client) -> None:
    VolumeFactory(id=ID, name="letters")
    VolumeFactory(name="made at 3f2a")
    VolumeFactory(name="pictures")

    def found(words: str) -> set[str]:
        page = console.get("/admin/volumes/volume/", {"q": words})
        return {volume.name for volume in page.context["cl"].result_list}

    assert found("3f2a") == {"letters", "made at 3f2a"}
    assert found(str(ID)) == {"letters"}
    assert found("pict") == {"pictures"}


def test_operations_are_found_by_what_they_work_on(console: Client) -> None:
    operation = OperationFactory(resource_id=ID)
    OperationFactory()
    page = console.get("/admin/operations/operation/", {"q": str(ID)[:8]})
    assert list(page.context["cl"].result_list) == [operation]
