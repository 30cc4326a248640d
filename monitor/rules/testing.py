"""Rule tests: what came of a story against what should have.

Owns the comparison and its words. The story is ``monitor.rules.cases``; who runs it through an
engine is given, so that tests go through the same engine as everything else.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.clock import Clock
from monitor.decisions import Alert, Command, Decision, Listing, Order, Refusal
from monitor.errors import MonitorError
from monitor.rules.cases import CasesFile, Expectation, RuleTest, Scenario, scenario
from monitor.strict_yaml import Loaded
from monitor.units import format_duration

Run = Callable[[Scenario], Sequence[Decision]]
"""Runs a story through an engine that has nothing else in it; decisions in order of time."""

_SHOWN_MAX = 12


@dataclass(frozen=True, slots=True)
class Result:
    """How one test went."""

    path: Path
    line: int
    name: str
    failures: tuple[str, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        """Everything expected came, and nothing that should not."""
        return not self.failures


def run_tests(loaded: Loaded[CasesFile], run: Run, clock: Clock) -> list[Result]:
    """Run every test of a file, each on its own."""
    results = []
    for index, test in enumerate(loaded.value.tests):
        place = loaded.problem(("tests", index), "")
        began = clock.monotonic_s()
        story = scenario(test, index=index)
        try:
            failures = compare(test, story, run(story))
        except MonitorError as error:
            failures = [f"the story could not be run: {error}"]
        seconds = clock.monotonic_s() - began
        results.append(Result(loaded.path, place.line, test.name, tuple(failures), seconds))
    return results


def compare(test: RuleTest, story: Scenario, decisions: Sequence[Decision]) -> list[str]:
    """What is wrong with ``decisions``, in words; empty when the test passed."""
    failures = [
        f"expected {_wish(wish)}: it did not come.{_seen(story, decisions)}"
        for wish in test.expect
        if not any(_fits(wish, story, decision) for decision in decisions)
    ]
    for wish in test.expect_no:
        came = next((each for each in decisions if _fits(wish, story, each)), None)
        if came is not None:
            failures.append(f"did not expect {_wish(wish)}: it came, {_told(story, came)}")
    return failures


def junit(results: Sequence[Result]) -> str:
    """The results as JUnit's XML, one suite a file, for the CI's report."""
    root = ET.Element("testsuites")
    for path in dict.fromkeys(result.path for result in results):
        mine = [result for result in results if result.path == path]
        suite = ET.SubElement(
            root,
            "testsuite",
            name=str(path),
            tests=str(len(mine)),
            failures=str(sum(not result.passed for result in mine)),
            errors="0",
            time=f"{sum(result.seconds for result in mine):.3f}",
        )
        for result in mine:
            case = ET.SubElement(
                suite,
                "testcase",
                classname=path.name,
                name=_clean(result.name),
                file=str(path),
                line=str(result.line),
                time=f"{result.seconds:.3f}",
            )
            for failure in result.failures:
                text = _clean(failure)
                ET.SubElement(case, "failure", message=text.partition("\n")[0]).text = text
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _fits(wish: Expectation, story: Scenario, decision: Decision) -> bool:
    if wish.within is not None and decision.at_ms > story.start_ms + wish.within:
        return False
    match decision:
        case Alert():
            seen: dict[str, Any] = dict(decision.scope)
            fits = wish.alert == decision.rule and wish.state == decision.state
            fits = fits and wish.level in {None, decision.level}
            fits = fits and wish.reason in {None, decision.reason}
        case Command():
            seen = {"number": decision.number}
            fits = wish.command == decision.action and wish.rule in {None, decision.rule}
            fits = fits and wish.reason in {None, decision.reason}
        case Order():
            seen = dict(decision.scope)
            fits = wish.command == decision.action and wish.rule in {None, decision.rule}
        case Listing():
            return False
        case Refusal():
            seen = {"number": decision.number}
            fits = wish.refusal == decision.guard and wish.rule in {None, decision.rule}
    return fits and all(seen.get(name) == value for name, value in wish.scope.items())


def _wish(wish: Expectation) -> str:
    kind = (
        f"alert {wish.alert} {wish.state}"
        if wish.alert is not None
        else f"command {wish.command}"
        if wish.command is not None
        else f"refusal {wish.refusal}"
    )
    words = [kind, *(word for word in (wish.level, wish.reason) if word)]
    words += [f"of {wish.rule}"] if wish.rule else []
    words += [f"{name}={value}" for name, value in wish.scope.items()]
    words += [f"within {format_duration(wish.within)}"] if wish.within is not None else []
    return " ".join(words)


def _seen(story: Scenario, decisions: Sequence[Decision]) -> str:
    if not decisions:
        return " Nothing was decided at all."
    lines = [f"\n  {_told(story, decision)}" for decision in decisions[:_SHOWN_MAX]]
    more = len(decisions) - _SHOWN_MAX
    return " What came:" + "".join(lines) + (f"\n  and {more} more" if more > 0 else "")


def _told(story: Scenario, decision: Decision) -> str:
    after = format_duration(max(0, decision.at_ms - story.start_ms))
    match decision:
        case Alert():
            scope = ",".join(f"{name}={value}" for name, value in decision.scope)
            words = f"alert {decision.rule} {decision.state} {decision.level} {decision.reason}"
            figures = decision.figures
            told = f"{words} {scope} ({figures.hits:g}/{figures.of:g})"
        case Command():
            told = f"command {decision.action} {decision.number} of {decision.rule or 'a person'}"
        case Order():
            scope = ",".join(f"{name}={value}" for name, value in decision.scope)
            told = f"command {decision.action} {scope} of {decision.rule}"
        case Listing():
            told = f"do-not-call {decision.action} {decision.customer}: {decision.reason}"
        case Refusal():
            told = f"refusal {decision.guard} {decision.number} of {decision.rule}"
    return f"after {after}: {told}"


def _clean(text: str) -> str:
    """``text`` without the characters that XML does not hold."""
    return "".join(c for c in text if c in "\n\t" or (c >= " " and not "\ud800" <= c <= "\udfff"))
