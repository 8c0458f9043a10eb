"""A backup is of a single moment, also while a guest writes, who notices nothing."""

from tests.attach.counting import counted
from tests.attach.server import Server
from tests.attach.site import REFLINK, Site

SECTORS = 64
BACKUPS = 3
A_PART_OF_A_ROUND = 25


def test_a_backup_under_a_writing_guest_is_of_a_single_moment(
    site_with_reflink: Site, qemu: Server
) -> None:
    site = site_with_reflink
    volume_id = site.create_volume(REFLINK)
    site.attach(qemu.server_id, volume_id)
    site.wait_for_volume(volume_id, "in-use")
    made, moments = [], []
    with qemu.counting(volume_id, sectors=SECTORS) as counter:
        for _ in range(BACKUPS):
            before = counter.now()
            counter.wait_for(before + A_PART_OF_A_ROUND)
            made.append(site.back_up(volume_id, incremental=bool(made)))
            restored = site.restore(made[-1])
            moments.append(counted(site.volume_file(restored), SECTORS))
            after = counter.now()
            assert before + A_PART_OF_A_ROUND <= moments[-1] <= after + 1
            assert site.volume(volume_id)["status"] == "in-use"
            counter.wait_for(after + A_PART_OF_A_ROUND)  # it goes on
    assert moments == sorted(set(moments))
    assert any(moment % SECTORS for moment in moments), "no backup cut a round"
    later = [site.backup(each) for each in made[1:]]
    assert all(each["skipped_bytes"] > each["read_bytes"] for each in later), "all was read again"
    site.detach(qemu.server_id, volume_id)
    site.wait_for_volume(volume_id, "available")
    assert counted(site.volume_file(volume_id), SECTORS) == counter.last
