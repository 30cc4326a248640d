"""The commands by name, each with where it is defined.

Owns the list that ``monitor --help`` shows. What stands here is known without loading a command:
a test holds each line to the first one of the command's own help.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A command, or a group of them, that is loaded when it is wanted."""

    name: str
    module: str
    """Holds ``app``, a ``typer.Typer`` with the command or the commands of the group."""
    help: str


COMMANDS = (
    Entry(
        "run",
        "monitor.cli.run",
        "Run the daemon until ctrl-c; SIGHUP reads the configuration again.",
    ),
    Entry(
        "ingest",
        "monitor.cli.ingest",
        "Receive webhooks of other systems until ctrl-c, and keep them for the daemon.",
    ),
    Entry(
        "new",
        "monitor.cli.new",
        "A new pack, indicator or rule: asks, writes the YAML and a first test.",
    ),
    Entry(
        "check",
        "monitor.cli.check",
        "Check configuration, packs, rules and their tests: errors with line and column, and lint.",
    ),
    Entry(
        "test",
        "monitor.cli.rule_tests",
        "Run *.test.yaml: events written in YAML, and what should come of them.",
    ),
    Entry(
        "replay",
        "monitor.cli.replay",
        "What the rules decide on recorded events: the same engine, nothing is sent.",
    ),
    Entry(
        "backtest",
        "monitor.cli.backtest",
        "What a rule set would have done on recorded events: alerts, numbers out of service,"
        " pages.",
    ),
    Entry(
        "advise",
        "monitor.cli.advise",
        "What a rule's history says: its volume, thresholds for so many alerts, how sure it is.",
    ),
    Entry(
        "diff",
        "monitor.cli.diff",
        "Two rule sets side by side on the same events: what fires only in one, earlier, longer.",
    ),
    Entry(
        "map",
        "monitor.cli.map",
        "Other systems' records as our events, by a mapping; with --check, whether mappings are"
        " right.",
    ),
    Entry(
        "simulate",
        "monitor.cli.simulate",
        "Write made-up traffic to a file or to Kafka, with what was planted beside it.",
    ),
    Entry(
        "status",
        "monitor.cli.status",
        "Lag, watermark, rules, numbers and deliveries waiting of the running daemon.",
    ),
    Entry("numbers", "monitor.cli.numbers", "Outbound numbers: list, act, history."),
    Entry(
        "dnc",
        "monitor.cli.dnc",
        "Customers nobody may call: list, add, remove, import, export, check.",
    ),
    Entry(
        "alerts",
        "monitor.cli.alerts",
        "Alerts: what fires, what fired; the inbox, silences, who did what.",
    ),
    Entry(
        "route",
        "monitor.cli.route",
        "Who would hear of an alert or a refusal, when, and why each route would take it or not.",
    ),
    Entry(
        "explain",
        "monitor.cli.explain",
        "What the hits behind an alert have in common, tested against chance, and the records.",
    ),
    Entry(
        "shadow",
        "monitor.cli.shadow",
        "What rules in shadow would have done, next to what happened after.",
    ),
    Entry(
        "deliveries", "monitor.cli.deliveries", "Deliveries that were given up: list, try again."
    ),
    Entry("notify", "monitor.cli.notify", "Receivers of messages: try them out."),
    Entry(
        "backup",
        "monitor.cli.backup",
        "Write the store and its checkpoints to one file; the daemon may run.",
    ),
    Entry(
        "restore",
        "monitor.cli.restore",
        "Put a backup in the place of the store; stop the daemon first.",
    ),
    Entry(
        "sample",
        "monitor.cli.sample",
        "Random checks: which new customers of each agent a supervisor looks at, week by week.",
    ),
    Entry(
        "users",
        "monitor.cli.users",
        "People who sign in: add, list, passwd, role, remove, hash.",
    ),
    Entry(
        "audit",
        "monitor.cli.audit",
        "Who did what over HTTP, on pages and by command, from where, and how it ended.",
    ),
    Entry(
        "scorecard",
        "monitor.cli.scorecard",
        "Performance pay: run, check, explain, backtest, forecast, parallel.",
    ),
    Entry("schema", "monitor.cli.schema", "Print a JSON Schema (draft-07)."),
)
