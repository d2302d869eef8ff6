"""Started by the engine: `plugins.providers` of Pulumi.yaml names this folder."""

from __future__ import annotations

import sys
from pathlib import Path

# The engine runs the folder, so that only the folder itself would be on the path.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from providers.azure.resources import resources
from providers.base import serve

VERSION = "0.1.0"

if __name__ == "__main__":
    sys.exit(serve("dp-azure", VERSION, resources()))
