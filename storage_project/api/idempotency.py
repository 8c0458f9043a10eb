"""The same POST twice, one effect: the `Idempotency-Key` header.

A client whose connection broke repeats the request with the same key and gets the first answer,
marked `Idempotency-Replayed: true`. The claim of the key, the effect and the answer are one
transaction: either all of it happened or the key is free. Errors are not kept.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

import orjson
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework.response import Response

from storage_project.api.faults import BadRequest, Unprocessable
from storage_project.api.models import IdempotentReply
from storage_project.api.requests import ResourceRequest

LIFETIME = timedelta(hours=24)
KEY = re.compile(r"[\x21-\x7e]{1,255}")

AnyView = TypeVar("AnyView")
Handler = Callable[..., Response]


def answer_once(handler: Handler) -> Handler:
    """Make a view's `post` answer a key once; requests without one pass untouched."""

    @wraps(handler)
    def post(view: AnyView, request: ResourceRequest, **kwargs: Any) -> Response:
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is None or request.auth is None:
            return handler(view, request, **kwargs)
        if not KEY.fullmatch(key):
            raise BadRequest("Idempotency-Key must be 1 to 255 printable ASCII characters.")
        with transaction.atomic():
            reply, is_new = claim(key, request)
            if not is_new:
                return replay(reply, request)
            response = handler(view, request, **kwargs)
            if response.status_code >= 400:
                transaction.set_rollback(True)
            else:
                keep(reply, response)
            return response

    return post


def delete_expired_replies() -> int:
    """Free the keys that were promised for a day; return how many."""
    return IdempotentReply.objects.filter(created_at__lt=timezone.now() - LIFETIME).delete()[0]


def claim(key: str, request: ResourceRequest) -> tuple[IdempotentReply, bool]:
    """Take the key, or wait until who holds it is done and return what they answered."""
    return IdempotentReply.objects.get_or_create(
        project_id=request.auth.project_id or "",
        user_id=request.auth.user_id,
        key=key,
        defaults={"fingerprint": fingerprint(request), "created_at": timezone.now()},
    )


def fingerprint(request: ResourceRequest) -> str:
    """What tells two requests apart: method, address and meaning of the body.

    Keyed, because a body may hold a password.
    """
    body = orjson.dumps(request.data, option=orjson.OPT_SORT_KEYS)
    address = f"{request.method} {request.get_full_path()}\n".encode()
    return salted_hmac(__name__, address + body, algorithm="sha256").hexdigest()


def keep(reply: IdempotentReply, response: Response) -> None:
    reply.status = response.status_code
    reply.body = orjson.dumps(response.data).decode()
    reply.save(update_fields=["status", "body"])


def replay(reply: IdempotentReply, request: ResourceRequest) -> Response:
    if reply.fingerprint != fingerprint(request):
        raise Unprocessable("This Idempotency-Key was used for a different request.")
    return Response(
        orjson.loads(reply.body),
        status=reply.status,
        headers={"Idempotency-Replayed": "true"},
    )
