"""Load as users make it: they create, extend, delete and cancel at random, and remember what was
accepted. Each has volumes of its own, so only the engine decides what meets what."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Event
from typing import Self

import requests

from tests.crash.processes.client import Client

USERS = 4
LONGEST_PAUSE_S = 0.4
FEW_VOLUMES = 4
FEW_BACKUPS = 3
# The state of a volume does not permit it, or it is gone: what a user gets who is not in luck.
REFUSED = {400, 404, 409}


class Load:
    """Runs inside its `with`; afterwards everything that was asked for has its answer.

    `accepted` counts the answers with 202, by kind of operation and volume; `surprises` are the
    answers that nobody should ever get.
    """

    def __init__(
        self, client: Callable[[str], Client], *, seed: int, backs_up: bool = False
    ) -> None:
        self.backs_up = backs_up
        self._stopping = Event()
        self.accepted: Counter[tuple[str, str]] = Counter()
        self.surprises: list[str] = []
        self._users = [
            User(self, client("demo"), client("admin"), Random(f"{seed}/{number}"))
            for number in range(USERS)
        ]

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(USERS)
        self._lives = [self._pool.submit(user.live, self._stopping) for user in self._users]
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._pool.shutdown()
        for life in self._lives:
            life.result()


class User:
    """Asks for one thing after the other, and for what is not possible too."""

    def __init__(self, load: Load, member: Client, admin: Client, random: Random) -> None:
        self._load = load
        self._member = member
        self._admin = admin
        self._random = random
        self._volumes: list[str] = []
        self._backups: list[str] = []

    def live(self, stopping: Event) -> None:
        random = self._random
        while not stopping.wait(random.uniform(0, LONGEST_PAUSE_S)):
            if len(self._volumes) < FEW_VOLUMES or random.random() < 0.4:
                self._create()
            elif self._load.backs_up and random.random() < 0.5:
                self._keep_safe(random.choice(self._volumes))
            else:
                acts = [self._extend, self._delete, self._force_delete, self._cancel]
                [act] = random.choices(acts, [3, 2, 1, 2])
                act(random.choice(self._volumes))

    def _create(self) -> None:
        answer = self._member.create(self._random.randint(1, 3))
        if self._accepted("volume.create", answer):
            volume_id: str = answer.json()["volume"]["id"]
            self._load.accepted["volume.create", volume_id] += 1
            self._volumes.append(volume_id)

    def _keep_safe(self, volume_id: str) -> None:
        """Back a volume up; or restore a backup, or delete one."""
        send, random = self._member.send, self._random
        if len(self._backups) < FEW_BACKUPS:
            wanted = {"volume_id": volume_id, "incremental": random.random() < 0.3}
            answer = send("POST", "/v3/backups", {"backup": wanted})
            if self._accepted("back up", answer):
                made: str = answer.json()["backup"]["id"]
                self._load.accepted["backup.create", made] += 1
                self._backups.append(made)
            return
        backup_id = random.choice(self._backups)
        address = f"/v3/backups/{backup_id}"
        match random.randrange(3):
            case 0:
                if self._accepted("delete a backup", send("DELETE", address)):
                    self._load.accepted["backup.delete", backup_id] += 1
                    self._backups.remove(backup_id)
            case 1:
                wanted = {"restore": {"volume_id": volume_id}}
                if self._accepted("restore", send("POST", f"{address}/restore", wanted)):
                    self._load.accepted["backup.restore", backup_id] += 1
            case _:
                answer = send("POST", f"{address}/restore", {"restore": {"name": "back"}})
                if self._accepted("restore", answer):
                    restored: str = answer.json()["restore"]["volume_id"]
                    self._load.accepted["volume.create", restored] += 1
                    self._load.accepted["backup.restore", backup_id] += 1
                    self._volumes.append(restored)

    def _extend(self, volume_id: str) -> None:
        new_size = {"new_size": self._random.randint(2, 9)}
        if self._accepted("extend", self._member.act(volume_id, "os-extend", new_size)):
            self._load.accepted["volume.extend", volume_id] += 1

    def _delete(self, volume_id: str) -> None:
        self._note_delete(volume_id, self._member.delete(volume_id))

    def _force_delete(self, volume_id: str) -> None:
        self._note_delete(volume_id, self._admin.act(volume_id, "os-force_delete"))

    def _note_delete(self, volume_id: str, answer: requests.Response) -> None:
        if self._accepted("delete", answer):
            self._load.accepted["volume.delete", volume_id] += 1
            self._volumes.remove(volume_id)

    def _cancel(self, volume_id: str) -> None:
        for operation in self._member.operations(resource_id=volume_id, limit="1"):
            path = f"/v3/operations/{operation['id']}/action"
            self._accepted("cancel", self._member.send("POST", path, {"os-cancel": None}))

    def _accepted(self, what: str, answer: requests.Response) -> bool:
        if answer.status_code not in {202, *REFUSED}:
            self._load.surprises.append(f"{what}: {answer.status_code} {answer.text}")
        return answer.status_code == 202
