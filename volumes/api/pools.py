"""`/scheduler-stats/get_pools`: the pools as the scheduler sees them."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.response import Response

from storage_project.api.filters import ListFilter, TextFilter
from storage_project.api.parameters import read_flag
from storage_project.api.representation import Representation, show_time
from storage_project.api.requests import ResourceRequest
from storage_project.api.views import ResourceView
from volumes import selectors
from volumes.models import Pool


class PoolNameFilter(TextFilter):
    """`host@backend#pool`, which is kept in two places."""

    def filter(self, qs: "QuerySet[Pool]", value: str) -> "QuerySet[Pool]":
        if not value:
            return qs
        host, _, name = value.partition("#")
        return qs.filter(service__host=host, name=name)


class PoolFilter(ListFilter):
    name = PoolNameFilter()


class PoolRepresentation(Representation):
    plural = "pools"

    name = serializers.CharField(source="host")


class PoolDetailRepresentation(PoolRepresentation):
    capabilities = serializers.SerializerMethodField()

    def get_capabilities(self, pool: Any) -> dict[str, Any]:
        """What the driver tells of the pool, then what the scheduler counts with."""
        return {
            **pool.capabilities,
            "pool_name": pool.name,
            "volume_backend_name": pool.backend,
            "availability_zone": pool.service.availability_zone,
            "backend_state": "up" if pool.is_up else "down",
            "timestamp": show_time(pool.reported_at),
            "total_capacity_gb": pool.total_gib,
            "free_capacity_gb": pool.free_gib,
            "allocated_capacity_gb": pool.allocated_gib,
            "provisioned_capacity_gb": pool.allocated_gib,
            "total_volumes": pool.allocated_volumes,
            "thin_provisioning_support": pool.thin,
            "thick_provisioning_support": not pool.thin,
            "max_over_subscription_ratio": pool.max_over_subscription_ratio,
            "reserved_percentage": pool.reserved_percentage,
            "preference": pool.preference,
        }


class PoolsView(ResourceView):
    """The pools by name; with `?detail=true` what they have and can do."""

    name = "Pools"
    policies = {"GET": "pool:list"}
    answers = {"GET": [PoolDetailRepresentation]}

    def get(self, request: ResourceRequest) -> Response:
        shown = PoolDetailRepresentation if read_flag(request, "detail") else PoolRepresentation
        pools = PoolFilter.apply(selectors.pools(), request)
        return Response(shown.show_list(pools, request))
