"""How a start ends early."""


class StartError(Exception):
    """Khoi did not start, and nothing of it runs; the sentence says why."""


class StopRequested(Exception):  # noqa: N818 - not an error: somebody wants an end
    """This process was asked to stop: by Ctrl-C, by SIGTERM, or because its terminal is gone."""
