"""os-brick, asked in a process of its own: it changes how the one that imports it behaves."""

import json
import subprocess
import sys
from typing import Any

from tests.stack import ROOT


def os_brick(what: str, argument: str) -> Any:
    command = [sys.executable, "-m", "tests.clients.os_brick_process", what, argument]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
