"""The network of other tests: what it holds comes late, what it loses bytes of is dead."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.store.proxy import Proxy, proxied

PATIENCE_S = 10.0
SOON_S = 0.3


class Echo:
    """Gives back what it gets, and remembers it."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)  # which wakes the thread, too
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client:
            try:
                while data := client.recv(65_536):
                    self.heard += data
                    client.sendall(data)
            except OSError:
                return


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with proxied("127.0.0.1", echo.port) as between:
        yield between


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S)


def exchanged(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    return received(client, len(data))


def received(client: socket.socket, length: int) -> bytes:
    client.settimeout(PATIENCE_S)
    found = b""
    while len(found) < length and (data := client.recv(length - len(found))):
        found += data
    return found


def silent(client: socket.socket) -> bool:
    client.settimeout(SOON_S)
    try:
        return not client.recv(1)  # an end would not be silence
    except TimeoutError:
        return True


def test_what_is_held_comes_late_and_whole(proxy: Proxy, echo: Echo) -> None:
    with connect(proxy) as client:
        assert exchanged(client, b"before") == b"before"
        proxy.hold()
        client.sendall(b"meanwhile ")
        with connect(proxy) as late:
            late.sendall(b"new")
            assert silent(client)
            assert silent(late)
            assert echo.heard == b"before"
            client.sendall(b"and more")
            proxy.pass_on()
            assert received(client, 18) == b"meanwhile and more"
            assert received(late, 3) == b"new"
        assert exchanged(client, b"after") == b"after"


def test_a_connection_that_lost_bytes_is_dead_when_others_pass(proxy: Proxy, echo: Echo) -> None:
    with connect(proxy) as client, connect(proxy) as idle:
        assert exchanged(client, b"before") == b"before"
        assert exchanged(idle, b"?") == b"?"
        proxy.swallow()
        client.sendall(b"lost")
        with connect(proxy) as late:
            late.sendall(b"lost, too")
            assert silent(client)
            assert silent(late)
            proxy.pass_on()
            for end in (client, late, idle):
                end.settimeout(PATIENCE_S)
                with pytest.raises(ConnectionResetError):
                    end.recv(1)
    with connect(proxy) as client:
        assert exchanged(client, b"after") == b"after"
    assert echo.heard == b"before?after"


def test_more_than_any_buffer_takes_is_passed_both_ways(proxy: Proxy) -> None:
    block = bytes(range(256)) * 32_768
    with connect(proxy) as client:
        sender = threading.Thread(target=client.sendall, args=(block,))
        sender.start()
        assert received(client, len(block)) == block
        sender.join()


def test_a_server_that_is_away_is_seen_to_be(echo: Echo, proxy: Proxy) -> None:
    with connect(proxy) as client:
        assert exchanged(client, b"before") == b"before"
    echo.close()
    with connect(proxy) as client:
        client.settimeout(PATIENCE_S)
        assert client.recv(1) == b""


def test_closing_ends_all_that_is_open(echo: Echo) -> None:
    with proxied("127.0.0.1", echo.port) as proxy:
        client = connect(proxy)
        assert exchanged(client, b"open") == b"open"
        proxy.hold()
    client.settimeout(PATIENCE_S)
    assert client.recv(1) == b""
    client.close()
    proxy.close()
