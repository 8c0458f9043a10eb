"""What the errors of object stores mean to the user of a backup.

obstore says little by the class of an error. The status of the reply, and the store's own code for
what went wrong, are in the text.
"""

import configparser
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from drivers.errors import DriverError, Reason
from drivers.repository.keys import missing_object

STATUS = re.compile(r"status code: (\d{3})")
CODE = re.compile(r"(?:<Code>|\(code: )(\w+)")
NO_BUCKET = ("NoSuchBucket", "ContainerNotFound")
QUOTA = ("QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity")


class Reply(NamedTuple):
    """What an error tells about the store's reply; None where there was none."""

    status: int | None
    code: str | None


def reply_of(error: Exception) -> Reply:
    status, code = STATUS.search(str(error)), CODE.search(str(error))
    return Reply(int(status[1]) if status else None, code[1] if code else None)


def is_past_the_end(error: Exception) -> bool:
    """Whether a range was asked for that begins where the object has ended."""
    return reply_of(error).status == 416


def is_conflict(error: Exception) -> bool:
    """Whether somebody else was creating the same object just then; who won is open."""
    return reply_of(error).code == "ConditionalRequestConflict"


def is_missing_object(error: Exception) -> bool:
    """Whether the object is not there, although the bucket is."""
    status, code = reply_of(error)
    return isinstance(error, FileNotFoundError) and status == 404 and code not in NO_BUCKET


@contextmanager
def translated_object_store_errors(key: str | None = None) -> Iterator[None]:
    """Let an error of obstore leave as the `DriverError` it means.

    With a `key`, a 404 means that this object is not there.
    """
    try:
        yield
    except (OSError, ValueError, KeyError, configparser.Error, BaseError) as error:
        reply = reply_of(error)
        if key and is_missing_object(error):
            raise missing_object(key) from error
        raise _translated(error, reply) from error


def _translated(error: Exception, reply: Reply) -> DriverError:
    status, code = reply
    retryable = False
    reason = Reason.unavailable
    if code in QUOTA or status == 507:
        reason = Reason.no_space
        sentence = "The repository has no space left."
    elif (
        status in (401, 403)
        or code == "AccessDenied"
        or isinstance(error, PermissionDeniedError | UnauthenticatedError)
    ):
        sentence = "The repository refuses us; an operator must correct its credentials."
    elif status == 404:
        sentence = "The repository's bucket is missing; an operator must look at it."
    elif status is None and not isinstance(error, BaseError):
        sentence = "The repository is not set up correctly; an operator must look at it."
    elif status is None and code is None:
        sentence = "The repository does not answer."
        retryable = True
    elif status is None or status >= 500 or status in (408, 409, 429):
        sentence = "The repository reports a failure of its own."
        retryable = True
    else:
        reason = Reason.failed
        sentence = "The repository does not accept our request; an operator must look at it."
    return DriverError(sentence, code=reason, retryable=retryable, detail=_detail(error, reply))


def _detail(error: Exception, reply: Reply) -> str:
    """The text without the reply's body and the addresses' queries: those may hold credentials."""
    head = str(error).partition("\n")[0]
    head = re.sub(r"(status code: \d{3}).*", r"\1", head)
    head = re.sub(r"\?\S+", "", head)
    return f"{type(error).__name__}: {head} {reply.code or ''}".rstrip()
