import errno
import os

import pytest

from drivers.errors import DriverError, Reason
from drivers.volume.os_errors import translated_os_errors


@pytest.mark.parametrize(
    ("number", "code", "retryable"),
    [
        (errno.ENOSPC, Reason.no_space, False),
        (errno.EDQUOT, Reason.no_space, False),
        (errno.EROFS, Reason.unavailable, False),
        (errno.EACCES, Reason.unavailable, False),
        (errno.EPERM, Reason.unavailable, False),
        (errno.ENOENT, Reason.unavailable, False),
        (errno.ESTALE, Reason.unavailable, True),
        (errno.ETIMEDOUT, Reason.unavailable, True),
        (errno.EMFILE, Reason.busy, True),
        (errno.EIO, Reason.failed, True),
        (errno.EFBIG, Reason.unsupported, False),
        (errno.ELOOP, Reason.failed, False),
    ],
)
def test_every_error_has_a_meaning(number, code, retryable):
    with pytest.raises(DriverError) as caught, translated_os_errors():
        raise OSError(number, os.strerror(number), "/srv/secret/place")
    error = caught.value
    assert (error.code, error.retryable) == (code, retryable)
    assert "/" not in error.sentence
    assert error.sentence.endswith(".")
    assert "/srv/secret/place" in error.detail


def test_other_errors_pass():
    with pytest.raises(KeyError), translated_os_errors():
        raise KeyError("mine")
    with pytest.raises(DriverError, match=r"mine") as caught, translated_os_errors():
        raise DriverError("It is mine.", code=Reason.invalid)
    assert caught.value.code == Reason.invalid
