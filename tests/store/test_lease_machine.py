"""Daemons that take, keep, lose and give back the lease in any order, beside a model of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, select

from monitor.clock import ManualClock
from monitor.errors import LeaseLost
from monitor.store.journal import Journal
from monitor.store.lease import Lease, fence
from monitor.store.postgres import PostgresDatabase
from monitor.store.schema import JOURNAL
from monitor.store.settings import LeaseSettings, StoreSettings
from tests.store.stores import expire, open_store, settings_of

pytestmark = pytest.mark.untraced

WHO = st.integers(0, 2)


@dataclass
class Model:
    """What the lease is, said in plain Python."""

    token: int
    holder: int | None = None
    expired: bool = False


class LeaseMachine(RuleBasedStateMachine):
    def __init__(self, settings: StoreSettings) -> None:
        super().__init__()
        self.settings = settings
        self.look = PostgresDatabase(settings)
        with self.look.aside() as connection:
            connection.execute(delete(JOURNAL))
        self.leases = [Lease(settings, ManualClock(), holder=str(n)) for n in range(3)]
        self.databases = [PostgresDatabase(settings, connections=1) for _ in self.leases]
        self.got = [0, 0, 0]
        """The last token of each, which it goes on writing with whatever happens."""
        expire(settings)
        found = self.leases[0].standing()
        assert found is not None
        self.model = Model(found.token, expired=True)
        self.kept: list[str] = []

    def teardown(self) -> None:
        for lease in self.leases:
            lease.close()
        for database in [*self.databases, self.look]:
            database.close()

    @rule(who=WHO)
    def ask(self, who: int) -> None:
        free = self.model.holder is None or self.model.expired
        got = self.leases[who].try_acquire()
        if not free:
            assert got is None
            return
        assert got == self.model.token + 1
        self.model = Model(got, who)
        self.got[who] = got
        self.databases[who].fence = fence(self.settings, got)

    @rule(who=WHO)
    def sign_of_life(self, who: int) -> None:
        if self.holds(who) and self.leases[who].token is not None:
            self.leases[who].renew()
            self.model.expired = False
            return
        try:
            self.leases[who].renew()
        except LeaseLost:
            assert self.leases[who].token is None
        else:
            raise AssertionError(who)

    @rule(who=WHO)
    def give_back(self, who: int) -> None:
        held = self.holds(who) and self.leases[who].token is not None
        self.leases[who].release()
        if held:
            self.model.holder = None

    @rule()
    def time_passes(self) -> None:
        expire(self.settings)
        self.model.expired = True

    @rule(who=WHO)
    def write(self, who: int) -> None:
        if self.got[who] == 0:
            return  # no token, no store
        row = f"{who}-{len(self.kept)}"
        try:
            Journal(self.databases[who]).append("reload", 0, row)
        except LeaseLost:
            assert not self.holds(who)
        else:
            assert self.holds(who)
            self.kept.append(row)

    @invariant()
    def nothing_but_what_the_active_one_wrote_is_there(self) -> None:
        with self.look.read() as connection:
            found = list(connection.scalars(select(JOURNAL.c.payload).order_by(JOURNAL.c.seq)))
        assert found == [f'"{row}"' for row in self.kept]

    @invariant()
    def the_row_says_so(self) -> None:
        found = self.leases[0].standing()
        assert found is not None
        if self.model.holder is not None:
            assert (found.token, found.holder) == (self.model.token, str(self.model.holder))
            assert (found.left_ms <= 0) == self.model.expired

    def holds(self, who: int) -> bool:
        return self.model.holder == who and self.got[who] == self.model.token


def test_the_lease_is_what_the_model_says(tmp_path: Path, database_url: str) -> None:
    long = LeaseSettings.model_validate({"duration": "10m"})  # it ends when the test says
    settings = settings_of(tmp_path, database_url).model_copy(update={"lease": long})
    open_store(settings, ManualClock()).close()
    run_state_machine_as_test(
        lambda: LeaseMachine(settings),  # type: ignore[arg-type]  # whatever makes one will do
        settings=hypothesis_settings(
            max_examples=8,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
