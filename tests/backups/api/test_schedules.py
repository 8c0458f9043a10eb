"""`/v3/backup_schedules`, and the fields of backups that go with them."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from backups.models import Backup, Schedule, ScheduledBackup, ScheduleRun
from backups.schedule_models import OUTCOMES
from backups.services.schedules import MOST_OF_A_PROJECT
from tests.accounts import Account, open_account
from tests.backups.api.test_backups import fault
from tests.factories import (
    BackupFactory,
    ScheduleFactory,
    ScheduleRunFactory,
    VolumeFactory,
    VolumeTypeFactory,
)
from volumes.models import Service, Volume

pytestmark = pytest.mark.django_db

ADDRESS = "/v3/backup_schedules"
DAY = timedelta(days=1)


@pytest.fixture
def schedule(member: Account, volume: Volume) -> Schedule:
    return ScheduleFactory(project_id=member.project.pk, volume_id=volume.pk)


def create(account: Account, **values: Any) -> Any:
    body = {"name": "nightly", "cron": "30 2 * * *", **values}
    return account.client("3.0").post(ADDRESS, {"backup_schedule": body})


def change(account: Account, schedule: Schedule, **values: Any) -> Any:
    return account.client().put(f"{ADDRESS}/{schedule.pk}", {"backup_schedule": values})


class TestCreate:
    def test_for_a_volume(self, member: Account, volume: Volume) -> None:
        response = create(member, volume_id=str(volume.pk), time_zone="Europe/Berlin")
        assert response.status_code == 201
        made = response.json()["backup_schedule"]
        assert made["volume_id"] == str(volume.pk)
        assert made["project_id"] == member.project.pk
        assert made["user_id"] == member.user.pk
        assert made["next_slot"] > timezone.now().isoformat()
        assert made["next_slot"][11:16] in ("00:30", "01:30")
        assert (made["enabled"], made["force"], made["incremental"]) == (True, True, False)
        assert (made["window_minutes"], made["full_every"], made["last_slot"]) == (None, None, None)
        assert made["keep_daily"] == 0
        assert made["links"][0]["href"].endswith(f"backup_schedules/{made['id']}")

    def test_for_a_type_by_name_or_id(self, member: Account) -> None:
        kind = VolumeTypeFactory(name="gold")
        for named in ("gold", str(kind.pk)):
            made = create(member, volume_type=named).json()["backup_schedule"]
            assert (made["volume_type"], made["volume_type_id"]) == ("gold", str(kind.pk))
            assert (made["volume_id"], made["all_projects"]) == (None, False)

    def test_all_projects_are_for_administrators(self, member: Account, admin: Account) -> None:
        wanted = {"volume_type": "__DEFAULT__", "all_projects": True}
        response = create(member, **wanted)
        assert response.status_code == 400
        assert "backup_schedule.all_projects" in fault(response)
        assert create(admin, **wanted).json()["backup_schedule"]["all_projects"] is True

    def test_those_are_nobody_elses_to_see_or_change(self, admin: Account) -> None:
        wanted = {"volume_type": "__DEFAULT__", "all_projects": True}
        made = create(admin, **wanted).json()["backup_schedule"]["id"]
        client = open_account("member", project=admin.project).client()
        assert client.get(ADDRESS).json()["backup_schedules"] == []
        assert client.get(f"{ADDRESS}/{made}/plan").status_code == 404
        body = {"backup_schedule": {"keep_last": 1}}
        assert client.put(f"{ADDRESS}/{made}", body).status_code == 404
        assert client.delete(f"{ADDRESS}/{made}").status_code == 404

    def test_not_more_than_anybody_needs(self, member: Account, volume: Volume) -> None:
        mine = {"project_id": member.project.pk, "volume_id": volume.pk}
        ScheduleFactory.create_batch(MOST_OF_A_PROJECT, **mine)
        response = create(member, volume_id=str(volume.pk))
        assert response.status_code == 413
        assert "at most 100 backup schedules" in fault(response)

    def test_an_admins_belongs_to_the_project_of_its_volume(
        self, admin: Account, volume: Volume
    ) -> None:
        made = create(admin, volume_id=str(volume.pk)).json()["backup_schedule"]
        assert made["project_id"] == volume.project_id

    def test_another_projects_volume_is_not_there(self, volume: Volume) -> None:
        assert create(open_account("member"), volume_id=str(volume.pk)).status_code == 404

    def test_a_private_type_is_not_there(self, member: Account) -> None:
        VolumeTypeFactory(name="secret", is_public=False)
        assert create(member, volume_type="secret").status_code == 404

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"cron": "61 * * * *"}, "cron"),
            ({"cron": "* * * * * *"}, "cron"),
            ({"cron": "0 0 30 2 *"}, "cron"),
            ({"cron": 7}, "backup_schedule.cron"),
            ({"time_zone": "Mars/Olympus"}, "time_zone"),
            ({"jitter_minutes": 61, "window_minutes": 60}, "jitter_minutes"),
            ({"jitter_minutes": -1}, "backup_schedule.jitter_minutes"),
            ({"window_minutes": 0}, "backup_schedule.window_minutes"),
            ({"full_every": 7}, "full_every"),
            ({"full_every": 1, "incremental": True}, "backup_schedule.full_every"),
            ({"keep_daily": -1}, "backup_schedule.keep_daily"),
            ({"keep_daily": None}, "backup_schedule.keep_daily"),
            ({"max_age_days": 0}, "backup_schedule.max_age_days"),
            ({"name": ""}, "backup_schedule.name"),
            ({"container": "attic"}, "container"),
            ({"volume_type": "__DEFAULT__"}, "volume_id"),
            ({"volume_id": None}, "volume_id"),
            ({"keep_forever": 1}, "backup_schedule.keep_forever"),
        ],
    )
    def test_nonsense_names_its_field(
        self, member: Account, volume: Volume, values: dict[str, Any], field: str
    ) -> None:
        response = create(member, **{"volume_id": str(volume.pk)} | values)
        assert response.status_code == 400
        assert f"{field}:" in fault(response)
        assert not Schedule.objects.exists()

    def test_a_repository_that_there_is(
        self, member: Account, volume: Volume, repository: Service
    ) -> None:
        made = create(member, volume_id=str(volume.pk), container="main")
        assert made.json()["backup_schedule"]["container"] == "main"


class TestChange:
    def test_what_is_given_and_no_more(self, member: Account, schedule: Schedule) -> None:
        response = change(member, schedule, keep_daily=7, description="before the audit")
        assert response.status_code == 200
        changed = response.json()["backup_schedule"]
        assert (changed["keep_daily"], changed["description"]) == (7, "before the audit")
        assert changed["name"] == schedule.name
        assert changed["updated_at"] is not None
        assert Schedule.objects.get().next_slot == schedule.next_slot

    def test_another_time_is_another_slot(self, member: Account, schedule: Schedule) -> None:
        changed = change(member, schedule, cron="0 0 1 1 *").json()["backup_schedule"]
        assert "-01-01T00:00:00" in changed["next_slot"]

    def test_off_and_on(self, member: Account, schedule: Schedule) -> None:
        assert (
            change(member, schedule, enabled=False).json()["backup_schedule"]["next_slot"] is None
        )
        Schedule.objects.update(disabled_reason="Its volume has been deleted.")
        enabled = change(member, schedule, enabled=True).json()["backup_schedule"]
        assert enabled["next_slot"] is not None
        assert enabled["disabled_reason"] == ""

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"jitter_minutes": 90}, "jitter_minutes"),
            ({"cron": "never"}, "cron"),
            ({"volume_id": "3f0e6d9c-5b7a-4f0e-9d51-0a6c2f4a7b11"}, "volume_id"),
            ({}, "Give what is to be changed"),
        ],
    )
    def test_what_does_not_fit_what_there_is(
        self, member: Account, schedule: Schedule, values: dict[str, Any], field: str
    ) -> None:
        Schedule.objects.update(window_minutes=60)
        response = change(member, schedule, **values)
        assert response.status_code == 400
        assert field in fault(response)

    def test_delete(self, member: Account, schedule: Schedule) -> None:
        backup = BackupFactory(schedule_id=schedule.pk)
        assert member.client().delete(f"{ADDRESS}/{schedule.pk}").status_code == 204
        assert not Schedule.objects.exists()
        assert Backup.objects.get() == backup


class TestLists:
    def test_names_and_details(self, member: Account, schedule: Schedule) -> None:
        ScheduleFactory()  # of somebody else
        client = member.client()
        [named] = client.get(ADDRESS).json()["backup_schedules"]
        assert named.keys() == {"id", "name", "links"}
        [whole] = client.get(f"{ADDRESS}/detail").json()["backup_schedules"]
        assert whole == client.get(f"{ADDRESS}/{schedule.pk}").json()["backup_schedule"]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("name=one", 1),
            ("name~=o", 2),
            ("enabled=false", 1),
            ("volume_type=gold", 1),
            ("volume_id=nothing", 0),
            ("next_slot=gt:2000-01-01T00:00:00", 2),
            ("all_projects=true", 0),
            ("limit=1", 1),
        ],
    )
    def test_filters(self, member: Account, query: str, found: int) -> None:
        gold = VolumeTypeFactory(name="gold").pk
        mine = {"project_id": member.project.pk}
        ScheduleFactory(name="one", enabled=False, volume_id=None, volume_type_id=gold, **mine)
        ScheduleFactory(name="two", **mine)
        listed = member.client().get(f"{ADDRESS}?{query}").json()["backup_schedules"]
        assert len(listed) == found

    def test_pages_take_one_query(self, member: Account, django_assert_num_queries: Any) -> None:
        ScheduleFactory.create_batch(3, project_id=member.project.pk)
        client = member.client()
        client.get(f"{ADDRESS}/detail")
        with django_assert_num_queries(2):
            page = client.get(f"{ADDRESS}/detail?limit=2&sort=next_slot:asc").json()
        assert len(page["backup_schedules"]) == 2
        assert "backup_schedules_links" in page

    def test_can_be_filtered_by(self, member: Account) -> None:
        response = member.client().get("/v3/resource_filters?resource=backup_schedule")
        assert "next_slot" in response.json()["resource_filters"][0]["filters"]

    def test_all_tenants(self, admin: Account, schedule: Schedule) -> None:
        assert admin.client().get(ADDRESS).json()["backup_schedules"] == []
        listed = admin.client().get(f"{ADDRESS}?all_tenants=1").json()["backup_schedules"]
        assert len(listed) == 1


class TestRuns:
    def test_run_now(self, member: Account, schedule: Schedule) -> None:
        response = member.client().post(f"{ADDRESS}/{schedule.pk}/action", {"run": {}})
        assert response.status_code == 202
        run = response.json()["run"]
        assert (run["is_extra"], run["status"]) == (True, "running")
        assert ScheduleRun.objects.get().schedule_id == schedule.pk
        [listed] = member.client().get(f"{ADDRESS}/{schedule.pk}/runs").json()["runs"]
        assert listed["id"] == run["id"]
        assert listed["outcomes"] == dict.fromkeys(OUTCOMES, 0)
        response = member.client().post(f"{ADDRESS}/{schedule.pk}/action", {"run": {}})
        assert response.status_code == 409
        assert f"Run {run['id']}" in fault(response)

    def test_slots_and_their_outcomes(self, member: Account, schedule: Schedule) -> None:
        now = timezone.now()
        for days in range(3):
            ScheduleRunFactory(schedule_id=schedule.pk, slot=now - days * DAY)
        over = ScheduleRunFactory(
            schedule_id=schedule.pk,
            slot=now - 9 * DAY,
            status="missed",
            note="Nobody could begin it.",
            outcomes={"missed": 7},
            finished_at=now,
        )
        latest = ScheduleRun.objects.latest("slot")
        values = {"schedule_id": schedule.pk, "run": latest, "begins_at": now}
        for status in ("running", "running", "missed"):
            ScheduledBackup.objects.create(
                volume_id=VolumeFactory().pk, status=status, note="Why.", **values
            )
        client, address = member.client(), f"{ADDRESS}/{schedule.pk}/runs"
        page = client.get(f"{address}?limit=2").json()
        assert [run["outcomes"]["running"] for run in page["runs"]] == [2, 0]
        following = client.get(page["runs_links"][0]["href"]).json()["runs"]
        assert [run["id"] for run in following][-1] == str(over.pk)
        assert following[-1]["outcomes"] == {"missed": 7}
        assert len(client.get(f"{address}?status=missed").json()["runs"]) == 1

        address = f"{address}/{latest.pk}/volumes"
        [missed] = client.get(f"{address}?status=missed").json()["volumes"]
        assert missed["note"] == "Why."
        page = client.get(f"{address}?limit=2").json()
        assert len(page["volumes"]) == 2
        assert len(client.get(page["volumes_links"][0]["href"]).json()["volumes"]) == 1
        assert client.get(f"{address}?sort=updated_at").status_code == 200

    def test_a_run_of_another_schedule_is_not_there(
        self, member: Account, schedule: Schedule
    ) -> None:
        other = ScheduleRunFactory(schedule_id=ScheduleFactory().pk)
        address = f"{ADDRESS}/{schedule.pk}/runs/{other.pk}/volumes"
        assert member.client().get(address).status_code == 404


class TestPlan:
    @pytest.fixture
    def backups(self, schedule: Schedule) -> list[Backup]:
        """One for each of five days, the newest first."""
        midday = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0) - DAY
        mine = {"schedule_id": schedule.pk, "volume_id": schedule.volume_id}
        return [BackupFactory(data_timestamp=midday - days * DAY, **mine) for days in range(5)]

    def plan(self, account: Account, schedule: Schedule, query: str = "") -> list[Any]:
        response = account.client().get(f"{ADDRESS}/{schedule.pk}/plan{query}")
        assert response.status_code == 200, response.content
        return list(response.json()["plans"])

    def test_what_is_kept_and_why(
        self, member: Account, schedule: Schedule, backups: list[Backup]
    ) -> None:
        Backup.objects.filter(pk=backups[4].pk).update(protected=True)
        Schedule.objects.update(keep_last=1, keep_daily=2)
        [plan] = self.plan(member, schedule)
        assert plan["volume_id"] == str(schedule.volume_id)
        assert [each["id"] for each in plan["backups"]] == [str(each.pk) for each in backups]
        assert [each["keep"] for each in plan["backups"]] == [True, True, True, False, True]
        days = [f"{each.data_timestamp:%Y-%m-%d}" for each in backups]
        assert [each["reason"] for each in plan["backups"]] == [
            "last 1 of 1",
            f"daily 1 of 2, newest of {days[1]}",
            f"daily 2 of 2, newest of {days[2]}",
            "no rule wants it",
            "it is protected",
        ]
        assert Backup.objects.count() == 5

    def test_other_rules_can_be_tried(
        self, member: Account, schedule: Schedule, backups: list[Backup]
    ) -> None:
        Schedule.objects.update(keep_last=5)
        [plan] = self.plan(member, schedule, "?keep_daily=2")
        assert [each["keep"] for each in plan["backups"]] == [True, True, False, False, False]
        [plan] = self.plan(member, schedule, "?max_age_days=3")
        assert plan["backups"][-1]["reason"] == "older than 3 days"
        assert Schedule.objects.get().keep_last == 5

    def test_a_page_is_of_volumes(self, member: Account, schedule: Schedule) -> None:
        for _ in range(3):
            BackupFactory(schedule_id=schedule.pk)
        address, seen = f"{ADDRESS}/{schedule.pk}/plan?limit=2", []
        while address:
            page = member.client().get(address).json()
            seen += [plan["volume_id"] for plan in page["plans"]]
            address = page.get("plans_links", [{"href": ""}])[0]["href"]
        assert seen == sorted(str(each.volume_id) for each in Backup.objects.all())

    @pytest.mark.parametrize(
        "query", ["keep_last=-1", "keep_daily=x", "max_age_days=99999999", "marker=7", "limit=x"]
    )
    def test_nonsense(self, member: Account, schedule: Schedule, query: str) -> None:
        response = member.client().get(f"{ADDRESS}/{schedule.pk}/plan?{query}")
        assert response.status_code == 400
        assert query.partition("=")[0] in fault(response)


class TestProtected:
    def test_cannot_be_deleted_until_it_is_not(
        self, member: Account, admin: Account, volume: Volume
    ) -> None:
        backup = BackupFactory(project_id=member.project.pk)
        client, address = member.client("3.9"), f"/v3/backups/{backup.pk}"
        answer = client.put(address, {"backup": {"protected": True}})
        assert answer.json()["backup"]["protected"] is True
        assert len(client.get("/v3/backups?protected=true").json()["backups"]) == 1
        refused = client.delete(address)
        assert refused.status_code == 400
        assert "is protected, and cannot be deleted" in fault(refused)
        refused = admin.client().post(f"{address}/action", {"os-force_delete": {}})
        assert refused.status_code == 400
        assert Backup.objects.get().status == "available"
        client.put(address, {"backup": {"protected": False}})
        assert client.delete(address).status_code == 202
        refused = client.put(address, {"backup": {"protected": True}})
        assert refused.status_code == 400
        assert "its status is deleting" in fault(refused)

    def test_by_schedule(self, member: Account, schedule: Schedule) -> None:
        BackupFactory(project_id=member.project.pk, schedule_id=schedule.pk)
        BackupFactory(project_id=member.project.pk)
        address = f"/v3/backups/detail?schedule_id={schedule.pk}"
        [found] = member.client().get(address).json()["backups"]
        assert found["schedule_id"] == str(schedule.pk)
