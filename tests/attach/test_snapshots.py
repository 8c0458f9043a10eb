"""A snapshot is of a single moment, also while a guest writes."""

from tests.attach.counting import counted
from tests.attach.server import Server
from tests.attach.site import REFLINK, Site

SECTORS = 64
SNAPSHOTS = 6
A_PART_OF_A_ROUND = 25


def test_a_snapshot_under_a_writing_guest_is_of_a_single_moment(
    site_with_reflink: Site, qemu: Server
) -> None:
    site = site_with_reflink
    volume_id = site.create_volume(REFLINK)
    site.attach(qemu.server_id, volume_id)
    site.wait_for_volume(volume_id, "in-use")
    moments = []
    with qemu.counting(volume_id, sectors=SECTORS) as counter:
        for _ in range(SNAPSHOTS):
            before = counter.now()
            counter.wait_for(before + A_PART_OF_A_ROUND)
            snapshot = site.take_snapshot(volume_id)
            moments.append(counted(snapshot, SECTORS))
            assert before + A_PART_OF_A_ROUND <= moments[-1] <= counter.now() + 1
    assert site.volume(volume_id)["status"] == "in-use"
    assert moments == sorted(set(moments))
    assert any(moment % SECTORS for moment in moments), "no snapshot cut a round"
    site.detach(qemu.server_id, volume_id)
    site.wait_for_volume(volume_id, "available")
    assert counted(site.volume_file(volume_id), SECTORS) == counter.last
