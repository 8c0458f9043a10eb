"""The fixed list of what users can be told, and the error that carries an entry of it."""

from enum import StrEnum
from uuid import UUID

from drivers.errors import DriverError, Reason
from storage_project.operations.states import COMPUTE_QUEUES


class Code(StrEnum):
    """Why an operation did not succeed. Part of the API: `event_id` of a message ends with it."""

    NO_BACKEND = "no_backend"
    NO_EXPORT = "no_export"
    NO_REPOSITORY = "no_repository"
    REPOSITORY_FAILED = "repository_failed"
    DAMAGED = "damaged"
    BACKEND_FULL = "backend_full"
    BACKEND_FAILED = "backend_failed"
    BACKEND_SILENT = "backend_silent"
    HYPERVISOR_FAILED = "hypervisor_failed"
    CANCELLED = "cancelled"
    CHANGED_MEANWHILE = "changed_meanwhile"
    WORKER_DIED = "worker_died"
    INTERNAL = "internal"


SENTENCES = {
    Code.NO_BACKEND: "The scheduler found no place for it.",
    Code.NO_EXPORT: "No export of its backend can take it to this host.",
    Code.NO_REPOSITORY: "Its repository cannot be reached from where it has to be.",
    Code.REPOSITORY_FAILED: "It could not be copied to or from its repository, or found there.",
    Code.DAMAGED: "Something of it is damaged in its repository.",
    Code.BACKEND_FULL: "The backend has no room for it.",
    Code.BACKEND_FAILED: "The backend could not do it.",
    Code.BACKEND_SILENT: "No worker of the backend took it in time. Ask the operator whether the "
    "backend's worker is running (openstack volume service list), then try again.",
    Code.HYPERVISOR_FAILED: "The server's hypervisor could not do it.",
    Code.CANCELLED: "It was cancelled.",
    Code.CHANGED_MEANWHILE: "What it needed has changed since it was accepted.",
    Code.WORKER_DIED: "The workers that took it died, time after time; it was given up so that "
    "it does no more harm. The operator's log has the reason.",
    Code.INTERNAL: "An error inside Khoi stopped it. The operator's log has it under this "
    "request id.",
}

# Failures of one backend: another may do better.
OF_THE_BACKEND = frozenset(
    {Code.BACKEND_FULL, Code.BACKEND_FAILED, Code.BACKEND_SILENT, Code.INTERNAL}
)


class StepError(Exception):
    """A step could not do its work. `retryable`: the same try may succeed later.

    `cause` is the short of it, where a sentence of its own is about more than this one try.
    """

    def __init__(
        self, code: Code, detail: str = "", *, cause: str = "", retryable: bool = False
    ) -> None:
        self.code = code
        self.sentence = f"{SENTENCES[code]} {detail}".strip()
        self.cause = cause or self.sentence
        self.retryable = retryable
        super().__init__(self.sentence)

    @property
    def is_of_the_backend(self) -> bool:
        """Whether another backend may do better."""
        return self.code in OF_THE_BACKEND


class NotYet(Exception):  # noqa: N818 - it is not an error: the step only waits
    """The step has to wait for something else; it will be rung again, and no attempt is counted.

    It is rung after `wait_s`, or when the operation ends that it `waits_for`.
    """

    def __init__(self, why: str, *, wait_s: float = 1.0, waits_for: UUID | None = None) -> None:
        self.wait_s = wait_s
        self.waits_for = waits_for
        super().__init__(why)


def as_step_error(error: DriverError, queue: str) -> StepError:
    """What a driver said at work for this queue, in words fit for a user."""
    _, _, place = queue.partition(".")
    if queue.startswith(COMPUTE_QUEUES):
        code = Code.HYPERVISOR_FAILED
    elif error.code is Reason.no_space:
        code = Code.BACKEND_FULL
    else:
        code = Code.BACKEND_FAILED
    return StepError(code, f"{place}: {error}", cause=str(error), retryable=error.retryable)
