"""How values look."""

import pytest

from storage_project.console.columns import Tone, duration, gib, gib_of, share, tone_of


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4321, "0.43 s"),
        (12.2, "12 s"),
        (59.9, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7_500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_sizes() -> None:
    assert gib(3) == "3 GiB"
    assert gib(1024.26) == "1,024.3 GiB"
    assert gib_of(1.5, 2000) == "1.5 of 2,000 GiB"


@pytest.mark.parametrize(
    ("status", "tone"),
    [
        ("creating", Tone.BUSY),
        ("error_extending", Tone.BAD),
        ("in-use", Tone.GOOD),
        ("deleted", Tone.QUIET),
    ],
)
def test_tones(status: str, tone: Tone) -> None:
    assert tone_of(status, {"creating"}) is tone


def test_a_share_is_told_in_words_too_and_escapes_them() -> None:
    bar = share(1, 4, "<1 of 4>")
    assert 'value="25"' in bar
    assert "&lt;1 of 4&gt;" in bar
    assert "good" in bar
    assert "warn" in share(95, 100, "")
    # Nothing fits into nothing.
    assert 'value="100"' in share(0, 0, "")
