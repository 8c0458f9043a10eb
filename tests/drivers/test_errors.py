import pickle

from drivers.errors import DriverError, Reason


def test_an_error_is_its_sentence_and_keeps_the_rest_apart():
    error = DriverError("The disk is full.", code=Reason.no_space, detail="/srv: ENOSPC")
    assert str(error) == "The disk is full."
    assert "ENOSPC" in repr(error)
    assert not error.retryable


def test_an_error_travels_between_processes():
    error = DriverError("Come again.", code=Reason.busy, retryable=True, detail="locked")
    there = pickle.loads(pickle.dumps(error))
    assert (there.sentence, there.code, there.retryable, there.detail) == (
        "Come again.",
        Reason.busy,
        True,
        "locked",
    )
