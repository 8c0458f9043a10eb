"""How far an operation is: its four steps and, where it moves data, the share that is done."""

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from drivers.units import shown_bytes
from storage_project.console.columns import Tone, duration, gib_of, one_line, share
from storage_project.operations.models import Operation
from storage_project.operations.states import STEPS, Status, Step

STATUS_TONES = {
    Status.PENDING: Tone.QUIET,
    Status.RUNNING: Tone.BUSY,
    Status.SUCCEEDED: Tone.GOOD,
    Status.FAILED: Tone.BAD,
    Status.CANCELLED: Tone.WARN,
}
GIB = 2**30


def progress(operation: Operation) -> SafeString:
    """The steps, a bar while bytes are counted, and what stopped it."""
    parts = [step_meter(operation)]
    if operation.active and operation.total_bytes:
        parts.append(byte_bar(operation))
    if error := error_of(operation):
        parts.append(one_line(error))
    return format_html_join(" ", "{}", ((part,) for part in parts))


def step_meter(operation: Operation) -> SafeString:
    """One mark for each step: done, the present one in the tone of the status, and to come."""
    reached = _reached(operation)
    now = Tone.BUSY if operation.active else STATUS_TONES[Status(operation.status)]
    marks = [Tone.GOOD if n < reached else now if n == reached else "" for n in range(len(STEPS))]
    step = "all steps" if operation.step == Step.DONE else operation.step
    return format_html(
        '<span class="steps" title="{}"><span aria-hidden="true">{}</span> {}</span>',
        " → ".join(STEPS),
        format_html_join("", '<i class="{}"></i>', ((mark,) for mark in marks)),
        step,
    )


def _reached(operation: Operation) -> int:
    if operation.step == Step.DONE:
        return len(STEPS)
    # What is taken back had got as far as provision.
    step = Step.PROVISION if operation.step == Step.UNDO else Step(operation.step)
    return STEPS.index(step)


def error_of(operation: Operation) -> str:
    """Why it failed, or why its last try did; what was overcome is only in the timeline."""
    return "" if operation.status == Status.SUCCEEDED else operation.error


def byte_bar(operation: Operation) -> SafeString:
    """How many bytes are done, of how many; how quickly, and how long it takes still."""
    total = operation.total_bytes or 0
    text = gib_of(operation.progress_bytes / GIB, total / GIB)
    if operation.bytes_per_s:
        text += f", {shown_bytes(operation.bytes_per_s)}/s"
    if (seconds_left := operation.seconds_left) is not None:
        text += f", {duration(seconds_left)} left"
    if operation.active and operation.phase:
        text += f": {operation.phase}"
    return share(operation.progress_bytes, total, text)
