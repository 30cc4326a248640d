"""A network between a client and a server: it passes everything on until it is told otherwise.

Two ways in which networks fail, and no third: bytes of a connection come late, or it is dead. A
connection that has lost bytes in its midst and goes on is what no network gives.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_CHUNK = 65_536
_AT_ONCE = struct.pack("ii", 1, 0)
"""Linger for no time: closing is a reset."""
_PATIENCE_S = 10.0


class Proxy:
    """Connections of one address, passed on by a thread; any thread may command it."""

    def __init__(self, host: str, port: int, near: str = "127.0.0.1") -> None:
        self._target = (host, port)
        self._listener = socket.create_server((near, 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: set[asyncio.StreamWriter] = set()
        self._swallowing = False
        self._passing = asyncio.Event()
        self._passing.set()
        self._over = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name="proxy", daemon=True)
        self._thread.start()

    def hold(self) -> None:
        """Keep everything back, as a path that is down for a moment: nothing is lost of it."""
        self._do(self._passing.clear)

    def swallow(self) -> None:
        """Lose everything, as a firewall that has forgotten its connections: they seem open."""

        def begin() -> None:
            self._swallowing = True
            self._passing.clear()

        self._do(begin)

    def pass_on(self) -> None:
        """Pass on what was held and all that comes; what has lost bytes is reset."""

        def end() -> None:
            if self._swallowing:
                self._swallowing = False
                for each in self._ends:
                    _reset(each)
            self._passing.set()

        self._do(end)

    def close(self) -> None:
        """End every connection, and the thread."""
        if not self._loop.is_closed():
            self._do(self._over.set)
            self._thread.join(_PATIENCE_S)

    def _do(self, change: Callable[[], None]) -> None:
        async def changed() -> None:
            change()

        asyncio.run_coroutine_threadsafe(changed(), self._loop).result(_PATIENCE_S)

    def _work(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._listen())

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._connect, sock=self._listener, limit=_CHUNK)
        await self._over.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        for each in self._ends:
            each.transport.abort()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0)  # transports let go of their sockets a turn later

    async def _connect(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        with self._end(near):
            await self._passing.wait()
            if near.is_closing():  # it came while everything was lost
                return
            try:
                answers, far = await asyncio.open_connection(*self._target, limit=_CHUNK)
            except OSError:  # the server is away, which the client is to see
                return
            with self._end(far):
                both = [
                    asyncio.ensure_future(self._pump(*way))
                    for way in ((reader, far), (answers, near))
                ]
                try:
                    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in both:
                        pump.cancel()

    @contextmanager
    def _end(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        self._ends.add(writer)
        try:
            yield
        finally:
            self._ends.discard(writer)
            writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(_CHUNK):
                if not self._passing.is_set():
                    if self._swallowing:
                        continue
                    await self._passing.wait()
                sink.write(data)
                await sink.drain()


def _reset(end: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    end.transport.abort()


@contextmanager
def proxied(host: str, port: int, near: str = "127.0.0.1") -> Iterator[Proxy]:
    """A proxy for the length of a block."""
    proxy = Proxy(host, port, near)
    try:
        yield proxy
    finally:
        proxy.close()
