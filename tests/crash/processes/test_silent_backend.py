"""A backend whose worker is down: what waits for it goes elsewhere, or fails with a sentence."""

from pathlib import Path

from tests.crash.processes.cluster import Cluster, backends
from tests.stack import HOST

PATIENCE_S = 5
ON_FAST, ON_SLOW = f"{HOST}@fast#fast", f"{HOST}@slow#slow"
FAST_FIRST = f"{backends('fast', preference=1)}\n{backends('slow')}"


def test_nobody_waits_for_ever_for_a_worker_that_is_down(tmp_path: Path) -> None:
    patience = {"STORAGE_OPERATION_PATIENCE_S": str(PATIENCE_S)}
    with Cluster(tmp_path, FAST_FIRST, **patience) as cluster:
        volume_id = create(cluster)
        assert place(cluster, volume_id) == ON_FAST

        cluster.processes.pop("volume-fast").kill()
        cluster.demo.act(volume_id, "os-extend", {"new_size": 2})
        assert place(cluster, create(cluster)) == ON_SLOW, "it was tried on the other backend"
        extend = cluster.operation(volume_id, "volume.extend")
        assert (extend["status"], extend["error_code"]) == ("failed", "backend_silent")
        assert cluster.volume(volume_id)["status"] == "error_extending"
        sentences = [each["user_message"] for each in cluster.demo.get("/v3/messages")["messages"]]
        assert any("No worker of the backend took it in time" in each for each in sentences)

        make_heartbeats_old(cluster, "fast")
        assert state(cluster, "fast") == "down"
        straight = cluster.operation(at_slow := create(cluster), "volume.create")
        assert place(cluster, at_slow) == ON_SLOW
        outcomes = [entry["outcome"] for entry in straight["timeline"] if entry["outcome"]]
        assert outcomes == ["done"] * 4, "it was not tried anywhere else"

        cluster.processes.pop("volume-slow").kill()
        nowhere = create(cluster)
        assert cluster.volume(nowhere)["status"] == "error"
        failed = cluster.operation(nowhere, "volume.create")
        assert failed["error_code"] == "no_backend"
        assert ON_FAST in failed["error"]
        assert ON_SLOW in failed["error"]

        cluster.start_backend("fast")
        cluster.demo.delete(volume_id)
        cluster.wait_until_all_ended()
        assert state(cluster, "fast") == "up"
        assert cluster.admin.send("GET", f"/v3/volumes/{volume_id}").status_code == 404
        cluster.audit()


def create(cluster: Cluster) -> str:
    """A volume whose operation has ended, however."""
    volume_id: str = cluster.demo.create().json()["volume"]["id"]
    cluster.wait_until_all_ended()
    return volume_id


def place(cluster: Cluster, volume_id: str) -> str:
    volume = cluster.volume(volume_id)
    assert volume["status"] == "available", volume
    host: str = volume["os-vol-host-attr:host"]
    return host


def make_heartbeats_old(cluster: Cluster, backend: str) -> None:
    """As if the worker had been down for a day already."""
    cluster.run(
        "from datetime import timedelta; from django.utils import timezone;"
        "from volumes.models import Service;"
        f"Service.objects.filter(host='{HOST}@{backend}')"
        ".update(heartbeat_at=timezone.now() - timedelta(days=1))"
    )


def state(cluster: Cluster, backend: str) -> str:
    [service] = cluster.admin.get(f"/v3/os-services?host={HOST}@{backend}")["services"]
    found: str = service["state"]
    return found
