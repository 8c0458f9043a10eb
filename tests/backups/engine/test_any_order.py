"""Whatever is written, backed up, deleted and collected, in any order: each backup restores to
exactly what its volume held."""

import random
import tempfile
from pathlib import Path
from uuid import uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)

from backups.engine.format import BLOCK_BYTES, PAGE_BLOCKS
from backups.engine.keys import Secret
from drivers.volume.memory_image import Image
from tests.backups.engine.vault import Vault, changes, content, writer

PAGE_SPAN = PAGE_BLOCKS * BLOCK_BYTES
# Around the borders of blocks, spans and pages, where mistakes are made.
OFFSETS = st.sampled_from([0, BLOCK_BYTES, 16 * BLOCK_BYTES, PAGE_SPAN]).flatmap(
    lambda border: st.integers(max(0, border - 3 * BLOCK_BYTES), border + 3 * BLOCK_BYTES)
)
LENGTHS = st.one_of(
    st.integers(1, 3 * BLOCK_BYTES), st.sampled_from([BLOCK_BYTES, 20 * BLOCK_BYTES])
)
SIZES = st.one_of(st.integers(1, 40 * BLOCK_BYTES), st.integers(PAGE_SPAN - 9, PAGE_SPAN + 99999))


class Backups(RuleBasedStateMachine):
    backups = Bundle("backups")

    @initialize(sizes=st.tuples(SIZES, SIZES), is_encrypted=st.booleans())
    def open(self, sizes: tuple[int, int], is_encrypted: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        secrets = [Secret.key_file(bytes(range(40)))] if is_encrypted else []
        self.vault = Vault(Path(self.folder.name), secrets=secrets)
        self.volumes = [(str(uuid4()), Image(size)) for size in sizes]
        self.kept: dict[object, Image] = {}

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            for ref, image in self.kept.items():
                assert content(self.vault.restored(ref, past_end=99)) == content(image)
            self.vault.collect()
            self.vault.collect()
            self.vault.require_no_orphans()
            self.folder.cleanup()

    @rule(which=st.integers(0, 1), offset=OFFSETS, length=LENGTHS, seed=st.integers(0, 3))
    def write(self, which: int, offset: int, length: int, seed: int) -> None:
        """Seed 0 writes zeros; the others, often the same data again."""
        image = self.volumes[which][1]
        length = min(length, image.size_bytes - offset)
        if length > 0:
            dice = random.Random(seed)
            data = dice.randbytes(length) if seed > 1 else bytes([seed]) * length
            writer(image).write(offset, data)

    @rule(which=st.integers(0, 1), offset=OFFSETS, length=LENGTHS)
    def discard(self, which: int, offset: int, length: int) -> None:
        image = self.volumes[which][1]
        if (length := min(length, image.size_bytes - offset)) > 0:
            writer(image).write_zeros(offset, length)

    @rule(which=st.integers(0, 1), more=st.integers(1, 5 * BLOCK_BYTES))
    def extend(self, which: int, more: int) -> None:
        volume_id, image = self.volumes[which]
        self.volumes[which] = volume_id, image.copy(image.size_bytes + more)

    @rule(target=backups, which=st.integers(0, 1))
    def back_up(self, which: int) -> object:
        volume_id, image = self.volumes[which]
        return self._keep(self.vault.back_up(image, volume_id=volume_id).manifest.ref, image)

    @rule(target=backups, which=st.integers(0, 1), parent=backups, tells=st.booleans())
    def back_up_what_changed(self, which: int, parent: object, tells: bool) -> object:
        volume_id, image = self.volumes[which]
        known = None
        if tells and parent in self.kept and self.kept[parent].size_bytes <= image.size_bytes:
            known = changes(self.kept[parent], image)
        result = self.vault.back_up(image, volume_id=volume_id, parent=parent, changed=known)
        assert not result.is_distrusted
        assert result.is_incremental == (known is not None)
        return self._keep(result.manifest.ref, image)

    def _keep(self, ref: object, image: Image) -> object:
        self.kept[ref] = image.copy(image.size_bytes)
        return ref

    @rule(ref=consumes(backups))
    def delete(self, ref: object) -> None:
        self.vault.repository.delete_backup(ref)
        self.kept.pop(ref, None)

    @rule(ref=backups)
    def restore(self, ref: object) -> None:
        assert content(self.vault.restored(ref, past_end=123)) == content(self.kept[ref])

    @rule()
    def collect(self) -> None:
        self.vault.collect()

    @rule()
    def reopen(self) -> None:
        self.vault.repository = self.vault.reopened()

    @invariant()
    def every_backup_is_listed(self) -> None:
        if hasattr(self, "vault"):
            assert set(self.vault.refs()) == set(self.kept)


TestBackupsInAnyOrder = Backups.TestCase
TestBackupsInAnyOrder.settings = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
