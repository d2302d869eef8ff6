"""The Data Fusion instances of a world on a port of their own, for a provider that starts this.

`python -m localcloud.cdap.beside` prints its address and serves until its standard input ends, so that it goes with
whoever started it, however that one ends. What the addresses stand for is what `localcloud serve` has below
`/datafusion/`. No token is asked for: the port listens on the loopback address only.
"""

from __future__ import annotations

import signal
import sys
from http.server import BaseHTTPRequestHandler

from localcloud.cdap.doors import DataFusionDoors
from localcloud.cdap.server import serve_request
from localcloud.listener import Listener, until_input_ends
from localcloud.world import World


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "embedded-cloud"
    disable_nagle_algorithm = True
    doors: DataFusionDoors

    def handle(self) -> None:
        """Serve one client's connection, in a thread of its own that has its own connection to the database."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True
        finally:
            self.doors.world.connect().close()

    def _serve(self) -> None:
        serve_request(self, self.doors.answer, self.path)

    do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _serve  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Requests are not printed."""


class Server(Listener):
    """A running server; `url` stands for Google, `url/datafusion/HOST/api` for the instance at HOST."""

    def __init__(self, doors: DataFusionDoors) -> None:
        super().__init__(type("Handler", (_Handler,), {"doors": doors}))
        self.doors = doors


def main() -> int:
    """Serve the world of LOCALCLOUD_HOME until standard input ends."""
    # Ctrl-C reaches the whole group of processes; the provider's calls that are under way are to finish.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return until_input_ends(Server(DataFusionDoors(World(), token=None)))


if __name__ == "__main__":
    sys.exit(main())
