"""PyYAML's syntax errors in the words of someone who wants to mend the file.

Owns the fault as a value and the translation; which place PyYAML blames is kept, except where it
blames the end of the file for a quote or bracket left open far above.
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem before its file is known; line and column from 1, 0 for the file as a whole."""

    line: int
    column: int
    message: str
    hint: str = ""
    path: tuple[str | int, ...] = ()
    """Where in the data it stands, to name the rule it belongs to."""


_QUOTE_HINT = "put the whole text in quotes"
# In order: (what PyYAML says, what we say, the mend, whether its context is the better place).
_WORDS: tuple[tuple[str, str, str, bool], ...] = (
    ("found character '\\t'", "a tab where only spaces may stand", "indent with spaces", False),
    ("that cannot start any token", "a value cannot start with this character", _QUOTE_HINT, False),
    ("mapping values are not allowed", "a ': ' where no key can stand",
     "put text that holds ': ' in quotes, or check the indentation", False),
    ("found unexpected end of stream", "a quote is not closed", "close it", True),
    ("found unexpected document separator", "a quote is not closed", "close it", True),
    ("could not find expected ':'", "a key without ': '",
     "write 'key: value'; a space follows the colon", True),
    ("found unknown escape character", "an unknown escape in double quotes",
     "write \\\\ for a backslash, or use single quotes", False),
    ("escape sequence of", "an unfinished escape in double quotes",
     "write \\\\ for a backslash, or use single quotes", False),
    ("expected ',' or ']'", "the list '[' of line {line} is not closed here",
     "check commas, brackets and quotes", False),
    ("expected ',' or '}'", "the mapping '{{' of line {line} is not closed here",
     "check commas, braces and quotes", False),
    ("expected <block end>", "this line does not fit the indentation above",
     "line it up with its neighbours, or put the value above in quotes", False),
    ("sequence entries are not allowed", "a '- ' where no list can stand",
     "put the list on its own lines below the key", False),
    ("expected chomping or indentation", "a value cannot start with '>' or '|'",
     _QUOTE_HINT, False),
    ("expected a comment or a line break", "a value cannot start with '>' or '|'",
     _QUOTE_HINT, False),
    ("found undefined tag handle", "tags ('!…') are not supported", _QUOTE_HINT, False),
    ("expected the node content", "a value is missing here", "", False),
    ("expected alphabetic or numeric", "a value cannot start with '*' or '&'", _QUOTE_HINT, False),
    ("expected '<document start>'", "text after the end of the document",
     "check the indentation, and the line above", False),
)  # fmt: skip


def explain_syntax(error: yaml.YAMLError) -> Fault:
    """The fault behind a PyYAML error."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return Fault(0, 0, "the file holds characters that text does not")
    said = error.problem or ""
    for words, message, hint, by_context in _WORDS:
        if words in said:
            place, context = error.problem_mark, error.context_mark
            if context is not None and by_context:
                place = context
            line = "?" if context is None else context.line + 1
            return _at(place, message.format(line=line), hint)
    return _at(error.problem_mark or error.context_mark, f"not YAML: {said}", "")


def _at(mark: yaml.Mark | None, message: str, hint: str) -> Fault:
    if mark is None:
        return Fault(0, 0, message, hint)
    return Fault(mark.line + 1, mark.column + 1, message, hint)
