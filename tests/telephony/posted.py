"""An HTTP end that answers each POST while it waits: what the other ends of telephony are here."""

from __future__ import annotations

import http.server
import threading
from abc import ABC, abstractmethod


class PostEnd(ABC):
    """A real server on a free port of this machine, in threads of its own."""

    def __init__(self, path: str) -> None:
        end = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, said = end.reply(dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{path}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()

    @abstractmethod
    def reply(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer to one request."""

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
