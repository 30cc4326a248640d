"""Between a client and a server: passes everything on, until it is told to swallow it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Proxy:
    """Connections stay open while it is silent, as behind a firewall that has forgotten them."""

    def __init__(self, host: str, port: int, near: str = "127.0.0.1") -> None:
        self._target = (host, port)
        self._silent = threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((near, 0))
        self.port: int = self._listener.getsockname()[1]
        self._begin(self._accept)

    def swallow(self) -> None:
        """Pass nothing on any more, in both directions."""
        self._silent.set()

    def pass_on(self) -> None:
        """Pass everything on that comes from now on."""
        self._silent.clear()

    def close(self) -> None:
        for end in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(10)

    def _begin(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(self._target)
                except OSError:  # the server is away, which the client is to see
                    near.close()
                    continue
                self._sockets += [near, far]
                self._begin(self._pump, near, far)
                self._begin(self._pump, far, near)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if not self._silent.is_set():
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxied(host: str, port: int, near: str = "127.0.0.1") -> Iterator[Proxy]:
    """A proxy for the length of a block."""
    proxy = Proxy(host, port, near)
    try:
        yield proxy
    finally:
        proxy.close()
