"""Answers kept so that a repeated request gets the same one."""

from django.db import models


class IdempotentReply(models.Model):
    """What was answered to a POST that carried an `Idempotency-Key`, for 24 hours.

    `status` is null only inside the transaction that makes the answer; nobody else sees that.
    """

    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    # Keyed digest of method, address and body: the same key for something else is an error.
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project_id", "user_id", "key"], name="idempotent_reply_key"
            )
        ]

    def __str__(self) -> str:
        return self.key
