"""Entry point of the Pulumi program; the engine runs this folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The engine puts this folder on the path, not the project's: what is beside it must be this checkout's.
sys.path.insert(0, str(ROOT))
# Nor does it start us there: files in diagnostics are named as someone in the checkout would type them.
os.chdir(ROOT)

from infra.program import run  # noqa: E402

run(ROOT)
