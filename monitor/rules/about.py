"""What rules see beside what they want: who may breach, which campaigns do.

Owns what the number desk is told so that it looks at pools as a whole (``numbers.incidents``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from monitor.decisions import Around
from monitor.rules.combined_rule import Judging
from monitor.rules.figure_rule import FigureRule
from monitor.rules.fresh import FreshCalls
from monitor.rules.lifecycle import State


def around(
    acting: Iterable[FigureRule], of_campaigns: Sequence[Judging], fresh: FreshCalls
) -> Around:
    """As of the tick that was just judged."""
    pending = {
        number
        for judge in acting
        for row in judge.rows.values()
        if row.state is State.PENDING and (number := judge.numbers.of_scope(row.scope)) is not None
    }
    some = (judge for judge in of_campaigns if judge.rows)
    breaches = {judge.rule.id: found for judge in some if (found := _severe(judge))}
    return Around(fresh.calls, pending, breaches)


def _severe(judge: Judging) -> set[str]:
    """The campaigns for which the rule fires at its severest level."""
    severest, _ = judge.rule.levels.severest
    rows = (row for row in judge.rows.values() if row.scope and row.level == severest)
    return {row.scope[0][1] for row in rows if row.state is not State.PENDING}
