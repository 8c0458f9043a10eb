"""Rows for tests: `VolumeFactory(size_gib=5)` is a volume that exists, with all it needs."""

from datetime import timedelta
from uuid import uuid4

import factory
from django.utils import timezone
from factory.django import DjangoModelFactory

from backups.models import Backup, Damage, Repository, Schedule, ScheduleRun
from storage_project.identity.models import Project, User
from storage_project.operations.models import Message, Operation
from volumes.models import Attachment, Pool, Server, Service, Snapshot, Volume, VolumeType


class ProjectFactory(DjangoModelFactory[Project]):
    class Meta:
        model = Project

    name = factory.Sequence("project-{}".format)


class UserFactory(DjangoModelFactory[User]):
    """A user without a password and without a role."""

    class Meta:
        model = User

    name = factory.Sequence("user-{}".format)
    password = "!"


class ServiceFactory(DjangoModelFactory[Service]):
    """A backend's worker, alive."""

    class Meta:
        model = Service

    binary = "cinder-volume"
    host = factory.Sequence("host@backend-{}".format)
    availability_zone = "nova"
    heartbeat_at = factory.LazyFunction(timezone.now)


class PoolFactory(DjangoModelFactory[Pool]):
    class Meta:
        model = Pool

    service = factory.SubFactory(ServiceFactory)
    name = factory.Sequence("pool-{}".format)
    backend = factory.LazyAttribute(lambda pool: pool.service.host.partition("@")[2])
    total_gib = 1000.0
    free_gib = 900.0
    thin = True
    max_over_subscription_ratio = 20.0
    reserved_percentage = 0
    preference = 0


class VolumeTypeFactory(DjangoModelFactory[VolumeType]):
    class Meta:
        model = VolumeType

    name = factory.Sequence("type-{}".format)


class VolumeFactory(DjangoModelFactory[Volume]):
    """An available volume in a pool. Neither quota nor the pool's allocation know of it."""

    class Meta:
        model = Volume

    project_id = factory.Faker("hexify", text="^" * 32)
    user_id = factory.Faker("hexify", text="^" * 32)
    name = factory.Sequence("volume-{}".format)
    size_gib = 1
    status = "available"
    volume_type = factory.SubFactory(VolumeTypeFactory)
    pool = factory.SubFactory(PoolFactory)
    availability_zone = "nova"


class SnapshotFactory(DjangoModelFactory[Snapshot]):
    """An available snapshot of a volume in the same project."""

    class Meta:
        model = Snapshot

    project_id = factory.Faker("hexify", text="^" * 32)
    user_id = factory.Faker("hexify", text="^" * 32)
    volume = factory.SubFactory(VolumeFactory, project_id=factory.SelfAttribute("..project_id"))
    name = factory.Sequence("snapshot-{}".format)
    size_gib = factory.SelfAttribute("volume.size_gib")
    status = "available"


class BackupFactory(DjangoModelFactory[Backup]):
    """An available backup of a volume that is gone. No repository knows of it."""

    class Meta:
        model = Backup

    project_id = factory.Faker("hexify", text="^" * 32)
    user_id = factory.Faker("hexify", text="^" * 32)
    volume_id = factory.LazyFunction(uuid4)
    name = factory.Sequence("backup-{}".format)
    size_gib = 1
    status = "available"
    container = "main"
    domain = factory.SelfAttribute("project_id")
    data_timestamp = factory.LazyFunction(timezone.now)


class ScheduleFactory(DjangoModelFactory[Schedule]):
    """A schedule of a volume in the same project, whose next slot is not soon."""

    class Meta:
        model = Schedule

    project_id = factory.Faker("hexify", text="^" * 32)
    user_id = factory.Faker("hexify", text="^" * 32)
    name = factory.Sequence("schedule-{}".format)
    volume_id = factory.LazyAttribute(lambda each: VolumeFactory(project_id=each.project_id).pk)
    cron = "30 2 * * *"
    next_slot = factory.LazyFunction(lambda: timezone.now() + timedelta(hours=1))


class ScheduleRunFactory(DjangoModelFactory[ScheduleRun]):
    """A slot of a schedule that has just begun."""

    class Meta:
        model = ScheduleRun

    schedule_id = factory.LazyFunction(uuid4)
    slot = factory.LazyFunction(timezone.now)
    begins_at = factory.SelfAttribute("slot")
    ends_at = factory.LazyAttribute(lambda run: run.slot + timedelta(hours=1))


class RepositoryFactory(DjangoModelFactory[Repository]):
    """A repository that nobody reaches."""

    class Meta:
        model = Repository

    name = factory.Sequence("repository-{}".format)
    status = "available"


class DamageFactory(DjangoModelFactory[Damage]):
    class Meta:
        model = Damage

    repository = factory.SubFactory(RepositoryFactory)
    key = factory.Sequence("packs/00/{:032x}".format)
    sentence = "A pack of the repository is damaged."


class AttachmentFactory(DjangoModelFactory[Attachment]):
    """A reservation of a volume in the same project, which does not know of it."""

    class Meta:
        model = Attachment

    project_id = factory.Faker("hexify", text="^" * 32)
    user_id = factory.Faker("hexify", text="^" * 32)
    volume = factory.SubFactory(VolumeFactory, project_id=factory.SelfAttribute("..project_id"))
    status = "reserved"


class ServerFactory(DjangoModelFactory[Server]):
    """A server that runs. No hypervisor knows of it."""

    class Meta:
        model = Server

    id = factory.LazyFunction(uuid4)
    project_id = factory.Faker("hexify", text="^" * 32)
    name = factory.Sequence("server-{}".format)
    status = "ACTIVE"
    host = "somewhere"
    hypervisor = "lab"
    vcpus = 1
    memory_mib = 128


class OperationFactory(DjangoModelFactory[Operation]):
    """A `volume.create` that nobody has claimed yet."""

    class Meta:
        model = Operation

    kind = "volume.create"
    project_id = factory.Faker("hexify", text="^" * 32)
    user_id = factory.Faker("hexify", text="^" * 32)
    request_id = factory.Faker("uuid4")
    resource_type = "volume"
    resource_id = factory.Faker("uuid4")
    deadline_at = factory.LazyFunction(lambda: timezone.now() + timedelta(hours=1))


class MessageFactory(DjangoModelFactory[Message]):
    class Meta:
        model = Message

    project_id = factory.Faker("hexify", text="^" * 32)
    request_id = factory.Faker("uuid4")
    resource_type = "volume"
    resource_id = factory.Faker("uuid4")
    code = "no_backend"
    sentence = "The scheduler found no place for it."
    expires_at = factory.LazyFunction(lambda: timezone.now() + timedelta(days=30))
