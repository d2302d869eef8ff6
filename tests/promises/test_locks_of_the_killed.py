"""A lock whose owner was killed and waits for its parent to notice: it can do nothing any more."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from dataplatform.local.locks import is_dead, read_locks


def test_a_killed_owner_that_nobody_waited_for_is_dead(tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi/locks/organization/data-platform/dev"
    folder.mkdir(parents=True)
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        written = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
        content = {"pid": owner.pid, "username": "ann", "hostname": os.uname().nodename, "timestamp": written}
        (folder / "x.json").write_text(json.dumps(content), "utf-8")
        (lock,) = read_locks(tmp_path, "data-platform", "dev")
        assert not is_dead(lock)
        os.kill(owner.pid, signal.SIGKILL)
        os.waitid(os.P_PID, owner.pid, os.WEXITED | os.WNOWAIT)
        os.kill(owner.pid, 0)  # its entry is still there
        assert is_dead(lock)
    finally:
        owner.kill()
        owner.wait()
