"""The console's pages of what the engine writes: operations, their history, messages."""

from storage_project.operations.admin import messages, operations, transitions  # noqa: F401
