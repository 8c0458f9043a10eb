"""The state machine of backups: OpenStack's status strings, and their moves."""

from storage_project.operations.flow import Flow

DELETABLE = ("available", "error", "error_deleting")
TRANSITIONAL = ("creating", "deleting", "restoring")
STATUSES = (*TRANSITIONAL, *DELETABLE)

BACKUP = Flow.of(
    "backup",
    statuses=STATUSES,
    transitional=TRANSITIONAL,
    moves={
        "created": (["creating"], "available"),
        "fail_create": (["creating"], "error"),
        "restore": (["available"], "restoring"),
        "restored": (["restoring"], "available"),
        "delete": (DELETABLE, "deleting"),
        "force_delete": (set(STATUSES) - {"deleting"}, "deleting"),
        "fail_delete": (["deleting"], "error_deleting"),
        "keep": (["deleting"], DELETABLE),
    },
    refusal_code=400,
)
