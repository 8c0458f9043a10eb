"""Sealed columns: what a copy of the database gives away, and what a change of the key does."""

from typing import Any

import pytest
from django.core.exceptions import FieldError
from django.db import connection

from storage_project.sealing import SealBroken, seal, unseal
from tests.factories import AttachmentFactory
from volumes.models import Attachment

INFO = {"driver_volume_type": "iscsi", "data": {"auth_password": "open sesame", "lun": 1}}


@pytest.mark.parametrize("value", ["open sesame", "", INFO, [1, None], 7])
def test_what_was_sealed_can_be_read(value: Any) -> None:
    assert unseal(seal(value)) == value


def test_nothing_of_it_can_be_seen() -> None:
    assert "sesame" not in seal("open sesame")
    assert seal("open sesame") != seal("open sesame")


def test_with_another_key_it_cannot_be_read(settings: Any) -> None:
    sealed = seal("open sesame")
    settings.SECRET_KEY = "another"
    with pytest.raises(SealBroken, match="STORAGE_SECRET_KEY"):
        unseal(sealed)


def test_a_changed_text_cannot_be_read() -> None:
    sealed = seal("open sesame")
    with pytest.raises(SealBroken):
        unseal(sealed[:-8] + "AAAAAAA=")


def test_an_earlier_key_still_reads(settings: Any) -> None:
    sealed = seal("open sesame")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    assert unseal(sealed) == "open sesame"


@pytest.mark.django_db
class TestColumn:
    def stored(self) -> tuple[str | None, str | None]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT connection_info, secret FROM volumes_attachment")
            [row] = cursor.fetchall()
        return row  # type: ignore[no-any-return]

    def test_is_sealed_in_the_database(self) -> None:
        row = AttachmentFactory(connection_info=INFO, secret="open sesame")
        assert "sesame" not in "".join(map(str, self.stored()))
        found = Attachment.objects.get(pk=row.pk)
        assert (found.connection_info, found.secret) == (INFO, "open sesame")

    def test_may_hold_nothing(self) -> None:
        row = AttachmentFactory()
        assert self.stored() == (None, None)
        assert Attachment.objects.filter(secret__isnull=True).get() == row
        assert row.secret is None

    def test_is_sealed_by_an_update_too(self) -> None:
        row = AttachmentFactory()
        Attachment.objects.update(secret="open sesame")
        assert "sesame" not in str(self.stored())
        row.refresh_from_db()
        assert row.secret == "open sesame"

    def test_is_opened_for_who_asks_alone(self, django_assert_num_queries: Any) -> None:
        AttachmentFactory(secret="open sesame", connection_info=INFO)
        with django_assert_num_queries(1):
            [row] = Attachment.objects.all()
        assert {"secret", "connection_info"} <= row.get_deferred_fields()
        with django_assert_num_queries(1):
            assert row.secret == "open sesame"

    @pytest.mark.parametrize("lookup", ["secret", "secret__contains", "secret__gt", "secret__in"])
    def test_cannot_be_searched(self, lookup: str) -> None:
        with pytest.raises(FieldError, match="Unsupported lookup"):
            Attachment.objects.filter(**{lookup: ["open sesame"]}).exists()
