"""The state machines of backups, with OpenStack's status strings, and of repositories."""

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

# What is known of the content of a backup, once somebody has looked.
VERIFICATIONS = ("ok", "damaged")
# What can be read while it is so.
READABLE = ("available", "restoring")

AT_WORK = ("scrubbing", "collecting")

REPOSITORY = Flow.of(
    "repository",
    statuses=("available", *AT_WORK),
    transitional=AT_WORK,
    moves={
        "scrub": (["available"], "scrubbing"),
        "scrubbed": (["scrubbing"], "available"),
        "collect": (["available"], "collecting"),
        "collected": (["collecting"], "available"),
    },
)
