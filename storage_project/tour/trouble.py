"""How a tour ends early."""


class Trouble(Exception):  # noqa: N818 - a claim that does not hold is not an error of the program
    """Something did not do what it should; the sentence says what, and how it is instead."""


class TourOver(Exception):  # noqa: N818 - as above
    """The trouble has been shown; there is nothing more to say."""
