"""Deleting tokens and counts of failed sign-ins that mean nothing any more."""

from django.db.models.functions import Now

from storage_project.identity.models import FailedSignIns, Token


def delete_expired_tokens() -> int:
    """Delete tokens past their time and sign-in windows that are over; return how many."""
    tokens = Token.objects.filter(expires_at__lte=Now()).delete()[0]
    return tokens + FailedSignIns.objects.filter(window_ends_at__lte=Now()).delete()[0]
