"""The addresses of volumes and all that belongs to them, below `v3/` and `v3/<project>/`."""

from django.urls import path

from volumes.api.attachments import (
    AttachmentActions,
    AttachmentsDetailView,
    AttachmentsView,
    AttachmentView,
)
from volumes.api.availability_zones import ZonesView
from volumes.api.extra_specs import ExtraSpecsView, ExtraSpecView
from volumes.api.limits import LimitsView
from volumes.api.metadata import (
    SnapshotMetadataItemView,
    SnapshotMetadataView,
    VolumeMetadataItemView,
    VolumeMetadataView,
)
from volumes.api.pools import PoolsView
from volumes.api.quotas import QuotaClassView, QuotaDefaultsView, QuotaDetailView, QuotasView
from volumes.api.resource_filters import ResourceFiltersView
from volumes.api.services import DisableView, DisableWithReasonView, EnableView, ServicesView
from volumes.api.snapshot_actions import SnapshotActions
from volumes.api.snapshots import SnapshotsDetailView, SnapshotsView, SnapshotView
from volumes.api.volume_actions import VolumeActions
from volumes.api.volume_types import DefaultTypeView, TypesView, TypeView
from volumes.api.volumes import VolumesDetailView, VolumesSummaryView, VolumesView, VolumeView

urlpatterns = [
    path("volumes", VolumesView.as_view()),
    path("volumes/detail", VolumesDetailView.as_view()),
    path("volumes/summary", VolumesSummaryView.as_view()),
    path("volumes/<str:volume_id>", VolumeView.as_view()),
    path("volumes/<str:volume_id>/action", VolumeActions.as_view()),
    path("volumes/<str:volume_id>/metadata", VolumeMetadataView.as_view()),
    path("volumes/<str:volume_id>/metadata/<path:key>", VolumeMetadataItemView.as_view()),
    path("snapshots", SnapshotsView.as_view()),
    path("snapshots/detail", SnapshotsDetailView.as_view()),
    path("snapshots/<str:snapshot_id>", SnapshotView.as_view()),
    path("snapshots/<str:snapshot_id>/action", SnapshotActions.as_view()),
    path("snapshots/<str:snapshot_id>/metadata", SnapshotMetadataView.as_view()),
    path("snapshots/<str:snapshot_id>/metadata/<path:key>", SnapshotMetadataItemView.as_view()),
    path("attachments", AttachmentsView.as_view()),
    path("attachments/detail", AttachmentsDetailView.as_view()),
    path("attachments/<str:attachment_id>", AttachmentView.as_view()),
    path("attachments/<str:attachment_id>/action", AttachmentActions.as_view()),
    path("types", TypesView.as_view()),
    path("types/default", DefaultTypeView.as_view()),
    path("types/<str:type_id>", TypeView.as_view()),
    path("types/<str:type_id>/extra_specs", ExtraSpecsView.as_view()),
    path("types/<str:type_id>/extra_specs/<path:key>", ExtraSpecView.as_view()),
    path("os-quota-sets/<str:quota_project_id>", QuotasView.as_view()),
    path("os-quota-sets/<str:quota_project_id>/defaults", QuotaDefaultsView.as_view()),
    path("os-quota-sets/<str:quota_project_id>/detail", QuotaDetailView.as_view()),
    path("os-quota-class-sets/<str:class_name>", QuotaClassView.as_view()),
    path("limits", LimitsView.as_view()),
    path("os-services", ServicesView.as_view()),
    path("os-services/enable", EnableView.as_view()),
    path("os-services/disable", DisableView.as_view()),
    path("os-services/disable-log-reason", DisableWithReasonView.as_view()),
    path("scheduler-stats/get_pools", PoolsView.as_view()),
    path("os-availability-zone", ZonesView.as_view()),
    path("resource_filters", ResourceFiltersView.as_view()),
]
