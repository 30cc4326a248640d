"""Fixtures of all areas: the one Kafka broker and the one PostgreSQL of a test session."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, not whether it is right.
settings.register_profile("monitor", deadline=None)
settings.load_profile("monitor")

sys.path.insert(0, str(Path(__file__).parent.parent))  # for ``from tests.… import …``

if TYPE_CHECKING:  # importing the client takes half a second that few areas need
    from tests.broker.broker import Broker, Cluster
    from tests.postgres import Databases, Server


pytest_plugins = ["tests.workers"]

_UNCLOSED = "ignore:unclosed <socket:ResourceWarning"


def pytest_configure(config: pytest.Config) -> None:
    """kafka-python 3.0 reads its message schemas by a function that Python 3.11 deprecates."""
    ignored = "ignore:(open|read)_text is deprecated:DeprecationWarning"
    config.addinivalue_line("filterwarnings", ignored)


def pytest_unconfigure() -> None:
    """Commands that tests run here set apart all that there is; extensions want it freed."""
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """kafka-python leaves the sockets of failed connection attempts to the garbage collector."""
    for item in items:
        if item.get_closest_marker("kafka"):
            item.add_marker(pytest.mark.filterwarnings(_UNCLOSED))


@pytest.fixture(autouse=True)
def _no_sockets_left_over(request: pytest.FixtureRequest) -> Iterator[None]:
    """They go before the next test, which may want to hear of its own."""
    yield
    if request.node.get_closest_marker("kafka"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Apache Kafka: the one at ``MONITOR_TEST_KAFKA``, or our own, one a session.

    Without Java and Maven the tests are skipped on a laptop, and fail where ``CI=true``.
    """
    from tests.broker.broker import Broker, Cluster  # noqa: PLC0415

    given = os.environ.get("MONITOR_TEST_KAFKA")
    if given:
        yield Cluster(given)
        return
    _need_broker_tools()
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    try:
        broker.format()
        broker.start()
        yield Cluster(broker.plain, broker)
    finally:
        broker.stop()


@pytest.fixture(scope="session")
def broker_tools() -> None:
    """What starts a broker, for tests that want one of another kind than :func:`kafka`."""
    _need_broker_tools()


@pytest.fixture
def own_broker(kafka: Cluster) -> Broker:
    """The broker's process, for tests that kill it or need its other listeners."""
    if kafka.broker is None:
        _unavailable("MONITOR_TEST_KAFKA names a broker that is not ours to kill")
    return kafka.broker


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """PostgreSQL: the one at ``MONITOR_TEST_POSTGRES``, or our own, one a session.

    Where it is not installed the tests are skipped, and fail where ``CI=true``.
    """
    from tests.postgres import Databases, Server, programs  # noqa: PLC0415 - few areas need it

    given = os.environ.get("MONITOR_TEST_POSTGRES")
    if given:
        yield Databases(given)
        return
    binaries = programs()
    if binaries is None:
        _missing("PostgreSQL is not installed (Debian: postgresql; or set MONITOR_TEST_POSTGRES)")
    server = Server(binaries)
    try:
        server.create()
        server.start()
        yield Databases(server.url, server)
    finally:
        server.remove()


@pytest.fixture
def own_postgres(postgres: Databases) -> Server:
    """The server itself, for tests that stop it."""
    if postgres.server is None:
        _missing("MONITOR_TEST_POSTGRES names a server that is not ours to stop")
    return postgres.server


@pytest.fixture
def database_url(postgres: Databases) -> Iterator[str]:
    """An empty database of its own."""
    with postgres.fresh() as url:
        yield url


def _need_broker_tools() -> None:
    from tests.broker.broker import missing_tools  # noqa: PLC0415

    missing = missing_tools()
    if missing:
        _unavailable(missing)


def _unavailable(reason: str) -> NoReturn:
    _missing(f"Apache Kafka: {reason} (or set MONITOR_TEST_KAFKA=host:port)")


def _missing(text: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(text, pytrace=False)
    pytest.skip(text)
