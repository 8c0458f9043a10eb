"""`/backup_repositories`: where backups can be, how it is there, and what is done about it."""

from typing import Any

from rest_framework.response import Response

from backups import selectors
from backups.api.repository_representations import DamageRepresentation, RepositoryRepresentation
from backups.models import Repository
from backups.services import repositories as services
from storage_project.api.actions import Action, ActionView
from storage_project.api.filters import BooleanFilter, IdFilter, ListFilter, TextFilter
from storage_project.api.paging import paginate
from storage_project.api.requests import ResourceRequest
from storage_project.api.views import ResourceView
from storage_project.operations.api.operations import OperationRepresentation

SORTABLE = {"name": "name"}
DAMAGES_SORTABLE = {"key": "key", "found_at": "created_at", "healed_at": "healed_at"}
BY_NAME = (("name", "asc"),)


class RepositoryFilter(ListFilter):
    id = IdFilter()
    name = TextFilter()
    availability_zone = TextFilter()


class DamageFilter(ListFilter):
    key = TextFilter()
    healed = BooleanFilter("is_healed")


class RepositoriesView(ResourceView):
    """The repositories that workers have told of, by name."""

    name = "Backup repositories"
    policies = {"GET": "backup_repository:list"}
    answers = {"GET": [RepositoryRepresentation]}

    def get(self, request: ResourceRequest) -> Response:
        repositories = RepositoryFilter.apply(selectors.repositories(), request)
        return self.answer(paginate(repositories, request, sortable=SORTABLE, default_sort=BY_NAME))


class RepositoryView(ResourceView):
    """One repository."""

    name = "Backup repository"
    policies = {"GET": "backup_repository:get"}
    answers = {"GET": RepositoryRepresentation}

    def get(self, request: ResourceRequest, repository_id: str) -> Response:
        return self.answer(selectors.get_repository(repository_id))


class DamagesView(ResourceView):
    """What is damaged in a repository or was, the newest first; `healed=false` for what is now."""

    name = "Damages of a backup repository"
    policies = {"GET": "backup_repository:damages"}
    answers = {"GET": [DamageRepresentation]}

    def get(self, request: ResourceRequest, repository_id: str) -> Response:
        damages = selectors.damages_of(selectors.get_repository(repository_id))
        damages = DamageFilter.apply(damages, request)
        return self.answer(paginate(damages, request, sortable=DAMAGES_SORTABLE))


def scrub(request: ResourceRequest, repository: Repository, body: dict[str, Any]) -> dict[str, Any]:
    operation = services.scrub_repository(repository=repository, caller=request.auth)
    return OperationRepresentation.show(operation, request)


def collect(
    request: ResourceRequest, repository: Repository, body: dict[str, Any]
) -> dict[str, Any]:
    operation = services.collect_repository(repository=repository, caller=request.auth)
    return OperationRepresentation.show(operation, request)


class RepositoryActions(ActionView):
    """What can be done to a repository; the answer is the operation that does it."""

    name = "Backup repository actions"
    actions = (
        Action("scrub", handler=scrub, policy="backup_repository:scrub"),
        Action("collect", handler=collect, policy="backup_repository:collect"),
    )

    def get_target(self, request: ResourceRequest, **kwargs: Any) -> Repository:
        return selectors.get_repository(kwargs["repository_id"])
