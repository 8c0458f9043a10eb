"""The state machines of volumes and snapshots: OpenStack's status strings, and their moves."""

from storage_project.operations.flow import Flow

DELETABLE = (
    "available",
    "error",
    "error_deleting",
    "error_extending",
    "error_managing",
    "error_restoring",
)
TRANSITIONAL = (
    "creating",
    "attaching",
    "detaching",
    "deleting",
    "extending",
    "uploading",
    "downloading",
    "retyping",
    "backing-up",
    "restoring-backup",
    "reverting",
    "managing",
    "unmanaging",
)
STATUSES = (
    *TRANSITIONAL,
    *DELETABLE,
    "reserved",
    "in-use",
    "maintenance",
    "awaiting-transfer",
    "error_backing-up",
    "error_managing_deleting",
    "error_reverting",
)
SETTLED = tuple(status for status in STATUSES if status not in TRANSITIONAL)

VOLUME = Flow.of(
    "volume",
    statuses=STATUSES,
    transitional=TRANSITIONAL,
    moves={
        "created": (["creating"], "available"),
        "fail_create": (["creating"], "error"),
        "delete": (DELETABLE, "deleting"),
        "force_delete": (set(STATUSES) - {"deleting"}, "deleting"),
        "fail_delete": (["deleting"], "error_deleting"),
        "keep": (["deleting"], SETTLED),
        "extend": (["available"], "extending"),
        "extended": (["extending"], "available"),
        "fail_extend": (["extending"], "error_extending"),
        "keep_size": (["extending"], "available"),
        "revert": (["available"], "reverting"),
        "reverted": (["reverting"], "available"),
        "fail_revert": (["reverting"], "error"),
        "keep_content": (["reverting"], "available"),
    },
    refusal_code=400,
)

SNAPSHOT_DELETABLE = ("available", "error", "error_deleting")
SNAPSHOT_TRANSITIONAL = (
    "creating",
    "deleting",
    "updating",
    "unmanaging",
    "backing-up",
    "restoring",
)
SNAPSHOT_STATUSES = (*SNAPSHOT_TRANSITIONAL, *SNAPSHOT_DELETABLE)

SNAPSHOT = Flow.of(
    "snapshot",
    statuses=SNAPSHOT_STATUSES,
    transitional=SNAPSHOT_TRANSITIONAL,
    moves={
        "created": (["creating"], "available"),
        "fail_create": (["creating"], "error"),
        "delete": (SNAPSHOT_DELETABLE, "deleting"),
        "force_delete": (set(SNAPSHOT_STATUSES) - {"deleting"}, "deleting"),
        "fail_delete": (["deleting"], "error_deleting"),
        "keep": (["deleting"], SNAPSHOT_DELETABLE),
        "restore": (["available"], "restoring"),
        "restored": (["restoring"], "available"),
    },
    refusal_code=400,
)
