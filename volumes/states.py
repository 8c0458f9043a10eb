"""The state machines of volumes, snapshots and attachments: OpenStack's status strings, and their
moves."""

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
# What a volume is by its attachments alone: clients move it, and may take as long as they like.
BY_ATTACHMENTS = ("available", "reserved", "attaching", "in-use", "detaching")
STATUSES = (
    *TRANSITIONAL,
    *DELETABLE,
    *BY_ATTACHMENTS[1:],
    "maintenance",
    "awaiting-transfer",
    "error_backing-up",
    "error_managing_deleting",
    "error_reverting",
)
SETTLED = tuple(status for status in STATUSES if status not in TRANSITIONAL)


def _from_all_but(target: str) -> tuple[list[str], str]:
    return [status for status in BY_ATTACHMENTS if status != target], target


VOLUME = Flow.of(
    "volume",
    statuses=STATUSES,
    transitional=TRANSITIONAL,
    moves={
        # One that is made for a backup is restored next.
        "created": (["creating"], ("available", "restoring-backup", "error_restoring")),
        "fail_create": (["creating"], "error"),
        "delete": (DELETABLE, "deleting"),
        "force_delete": (set(STATUSES) - {"deleting"}, "deleting"),
        "fail_delete": (["deleting"], "error_deleting"),
        "keep": (["deleting"], SETTLED),
        "extend": (["available"], "extending"),
        "extend_in_use": (["in-use"], "extending"),
        "extended": (["extending"], BY_ATTACHMENTS),
        "fail_extend": (["extending"], "error_extending"),
        "keep_size": (["extending"], BY_ATTACHMENTS),
        "revert": (["available"], "reverting"),
        "reverted": (["reverting"], "available"),
        "fail_revert": (["reverting"], "error"),
        "keep_content": (["reverting"], "available"),
        "back_up": (["available", "in-use"], "backing-up"),
        "backed_up": (["backing-up"], BY_ATTACHMENTS),
        "restore_backup": (["available", "error_restoring"], "restoring-backup"),
        "backup_restored": (["restoring-backup"], "available"),
        "fail_restore_backup": (["restoring-backup"], "error_restoring"),
        "keep_unrestored": (["restoring-backup"], ("available", "error_restoring")),
        # One of its attachments has changed; see `attachment_state`.
        "reserve": _from_all_but("reserved"),
        "begin_attaching": _from_all_but("attaching"),
        "attach": _from_all_but("in-use"),
        "begin_detaching": _from_all_but("detaching"),
        "detach": _from_all_but("available"),
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
        "back_up": (["available"], "backing-up"),
        "backed_up": (["backing-up"], "available"),
    },
    refusal_code=400,
)

ATTACHMENT_STATUSES = (
    "reserved",
    "attaching",
    "attached",
    "detaching",
    "error_attaching",
    "error_detaching",
)

# An attachment is `attaching` until its client has connected and says so, and `detaching` until the
# client deletes it: no operation leaves these by itself.
ATTACHMENT = Flow.of(
    "attachment",
    statuses=ATTACHMENT_STATUSES,
    transitional=(),
    moves={
        "connect": (["reserved", "error_attaching"], "attaching"),
        "fail_connect": (["attaching"], "error_attaching"),
        "complete": (["attaching"], "attached"),
        "begin_detaching": (["attached"], "detaching"),
        "roll_detaching": (["detaching"], "attached"),
        "delete": (set(ATTACHMENT_STATUSES) - {"detaching"}, "detaching"),
        "fail_delete": (["detaching"], "error_detaching"),
        "keep": (["detaching"], tuple(s for s in ATTACHMENT_STATUSES if s != "detaching")),
    },
    refusal_code=400,
)
