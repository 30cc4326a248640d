"""The table of everything bounded: settings, defaults, metrics, and the tests that get there."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import NamedTuple

import pytest

from monitor import posting
from monitor.archive import writer
from monitor.delivery.channels import alertmanager, progress
from monitor.delivery.messages import facts, split, templates
from monitor.delivery.routing import budgets, dispatcher, state
from monitor.dnc import asking
from monitor.engine import Pace
from monitor.events import do_not_call
from monitor.explain import held, remarks
from monitor.exporter import status
from monitor.exporter.catalogue import CATALOGUE
from monitor.mapping import mapper
from monitor.numbers import inhibition, pools, record, wishes
from monitor.people import desk, matchers
from monitor.recorder import BACKLOG_MAX
from monitor.rules import belonging, event_rule, fresh, fresh_figures, past, waits, wave
from monitor.scorecards import kept
from monitor.shadow import report
from monitor.simulate import demo
from monitor.source import bookmarks, descriptors, files, followed
from monitor.stats import TOPICS_MAX
from monitor.store import accounts, holdings
from monitor.strict_yaml import composer, nodes
from monitor.telephony import acks, dead_letters, direct, joined, kamailio, simulated, vicidial
from monitor.web import access, live, live_api, lockout, oidc, provider, shadow_api
from monitor.windows import funnel
from tests.docs import settings_page
from tests.docs.markdown import ROOT

FIXED = {
    "bytes read for the archive and not written": writer.HELD_BYTES_MAX,
    "files followed": files.FILES_MAX,
    "files open at once": descriptors.OPEN_MAX,
    "entries of a record that is mapped": mapper.EVENTS_OF_A_RECORD_MAX,
    "rotated files of one path": followed.SIBLINGS_MAX,
    "files one path remembers having read": bookmarks.GENERATIONS_MAX,
    "events of one pair that may still change places": funnel.EVENTS_MAX,
    "topics and files whose records are counted": TOPICS_MAX,
    "agents with their team, for people": Pace().max_places,
    "calls of one number on probation": fresh.CALL_IDS_MAX,
    "scopes of a rule on probation": fresh_figures.KEYS_MAX,
    "scopes that had a single event": event_rule.MARKS_MAX,
    "scopes that a rule on absence watches": waits.WAITS_MAX,
    "members whose group is known": belonging.MEMBERS_MAX,
    "scopes of a figure with a past": past.SCOPES_MAX,
    "single events that fire one by one": wave.ROWS_MAX,
    "scopes of a wave": wave.FOLDED_MAX,
    "campaigns of one number": pools.CAMPAIGNS_PER_NUMBER_MAX,
    "refusals of one number not said twice": record.REMEMBERED_MAX,
    "shadow suspensions not said twice": wishes.SHADOWED_MAX,
    "outcomes while the store refuses": BACKLOG_MAX,
    "checkpoints": holdings.KEPT,
    "bytes of a receiver's answer": posting.ANSWER_BYTES_MAX,
    "records held for what alerts say in common": held.ROWS_MAX,
    "alerts a minute that say it": remarks.PER_MINUTE,
    "transitions of one alert that wait to be told": state.PENDING_MAX,
    "digests for what is critical, beyond that": budgets.URGENT_MAX,
    "alerts in one message in full": state.SHOWN_MAX,
    "pages of whole pools that routing remembers": state.PAGES_MAX,
    "alerts routed in one step": dispatcher.TAKEN_MAX,
    "rows of a page of the inbox": desk.PAGE_MAX,
    "characters of a note or a reason": desk.TEXT_MAX,
    "labels of a silence, and patterns of each": matchers.MATCHERS_MAX,
    "alerts in one post to Alertmanager": alertmanager.ALERTS_PER_POST,
    "characters of a message": templates.CHARS_MAX,
    "parts of a message": split.PARTS_MAX,
    "kinds of notifications in the message of a digest": facts.DIGEST_LINES_MAX,
    "notifications that the message of a digest shows": facts.NEWEST_MAX,
    "characters of one value in a message": facts.TEXT_MAX,
    "deliveries in pieces under way": progress.REMEMBERED_MAX,
    "customers on the lists of `do_not_call.files`": do_not_call.ENTRIES_MAX,
    "customers in one request": asking.CUSTOMERS_MAX,
    "batches of answers of telephony": acks.WAITING_MAX,
    "that wait for the broker": dead_letters.WAITING_MAX,
    "bytes of one on the topic": dead_letters.VALUE_BYTES_MAX,
    "alerts and numbers in `/status`": status.ALERTS_MAX,
    "bytes of a YAML file": nodes.TEXT_BYTES_MAX,
    "values in it, aliases written out": composer.NODES_MAX,
    "commands that an adapter remembers having answered": direct.KNOWN_COMMANDS_MAX,
    "commands of which is remembered whom they went to": joined.KNOWN_MAX,
    "episodes that a page of a whole pool stands for": inhibition.EPISODES_MAX,
    "bytes of the table that Kamailio lists": kamailio.DUMP_BYTES_MAX,
    "numbers that VICIdial is asked about at once": vicidial.ASKED_MAX,
    "commands that the simulated telephony remembers": simulated.KNOWN_COMMANDS_MAX,
    "callers and addresses whose requests are counted": access.ALLOWANCES_MAX,
    "names, and addresses, that tried passwords": lockout.KEYS_MAX,
    "users in the store": accounts.USERS_MAX,
    "sessions of one person": accounts.SESSIONS_OF_ONE_MAX,
    "sessions": accounts.SESSIONS_MAX,
    "people on their way through the identity provider": oidc.UNDER_WAY_MAX,
    "bytes of its answer": provider.ANSWER_BYTES_MAX,
    "alerts, and commands, that a report on shadow rules reads": report.READ_MAX,
    "such reports that are kept for a minute": shadow_api.KEPT_MAX,
    "live events that are kept": live.EVENTS_MAX,
    "alerts of a second that are told one by one": live.SINGLE_MAX,
    "live streams": live_api.STREAMS_MAX,
    "live streams of one caller": live_api.STREAMS_OF_ONE_MAX,
    "bytes that the demonstration keeps on disk": demo.BYTES_MAX,
    "bytes of a kept result": kept.BYTES_MAX,
}


class Limit(NamedTuple):
    what: str
    setting: str
    default: str
    behaviour: str
    metric: str
    reached_in: str


def limits() -> list[Limit]:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    table = page.partition("<!-- limits: begin -->")[2].partition("<!-- limits: end -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [Limit(*row) for row in rows[3:] if len(row) == 6 and row[1]]


@cache
def defaults() -> dict[str, str]:
    """The settings with their defaults, as docs/configuration.md shows them."""
    page = settings_page.render()
    return dict(re.findall(r"^\| (`[^`]+`) \| ([^|]+) \|", page, re.MULTILINE))


@cache
def functions(file: str) -> set[str]:
    """The names of all functions in a file of tests."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


LIMITS = limits()
ROWS = [pytest.param(limit, id=limit.what) for limit in LIMITS]


def test_the_table_is_read() -> None:
    assert len(LIMITS) > 50
    assert all(all(limit) for limit in LIMITS)


@pytest.mark.parametrize("limit", ROWS)
def test_the_setting_is_there_with_this_default(limit: Limit) -> None:
    if limit.setting == "fixed":
        assert int(limit.default.replace(" ", "")) == FIXED[limit.what]
        return
    assert defaults()[limit.setting].strip() == limit.default


def test_no_fixed_limit_is_left_over() -> None:
    assert {limit.what for limit in LIMITS if limit.setting == "fixed"} == set(FIXED)


@pytest.mark.parametrize("limit", ROWS)
def test_the_metric_is_there(limit: Limit) -> None:
    name = limit.metric.strip("`")
    if not name.startswith("process_"):  # of the client library
        assert name in {spec.name for spec in CATALOGUE}


@pytest.mark.parametrize("limit", ROWS)
def test_the_test_that_gets_there_is_there(limit: Limit) -> None:
    file, _, name = limit.reached_in.strip("`").partition("::")
    assert name in functions(file)
