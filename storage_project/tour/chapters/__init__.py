"""The chapters of the tour, in order. Each is a function; what one makes, a later one may use."""

from collections.abc import Callable

from storage_project.tour.chapters.attach import show_attach
from storage_project.tour.chapters.backups import show_backups
from storage_project.tour.chapters.full_disk import show_fall_through, show_no_backend
from storage_project.tour.chapters.kinds import show_kinds
from storage_project.tour.chapters.snapshots import show_snapshots
from storage_project.tour.chapters.volumes import show_create, show_delete, show_extend
from storage_project.tour.tour import Tour

CHAPTERS: tuple[Callable[[Tour], None], ...] = (
    show_kinds,
    show_create,
    show_extend,
    show_snapshots,
    show_fall_through,
    show_no_backend,
    show_attach,
    show_backups,
    show_delete,
)
