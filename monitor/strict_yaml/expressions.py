"""The text of an expression in a file, as Python's tree: what all small languages here begin with.

Owns reading and the place of a fault in the text. What a tree may hold is said by each language:
:mod:`monitor.indicators.expression` for conditions on events, :mod:`monitor.mapping.expression` for
the values of other systems' records.
"""

from __future__ import annotations

import ast
import warnings

from monitor.errors import ExpressionError

LENGTH_MAX = 2_000
DEPTH_MAX = 30
NODES_MAX = 400
NUMBER_MAX = 1e15
"""Beyond this a number is a typing error, and no longer exact as a float."""


class ExpressionText:
    """One text; offsets are characters from 0, as in the file."""

    def __init__(self, text: str) -> None:
        # Folded YAML may hold line breaks; a blank of the same length keeps offsets true.
        self._text = text.replace("\n", " ").replace("\r", " ").replace("\t", " ")
        self._indent = len(self._text) - len(self._text.lstrip())

    def parse(self, *, empty: str, empty_hint: str) -> ast.expr:
        """Python's tree of the text; ``empty`` is said where there is none, with its mend.

        Raises:
            ExpressionError: too long, empty, or no expression.
        """
        source = self._text[self._indent :]
        if len(self._text) > LENGTH_MAX:
            message = f"longer than {LENGTH_MAX} characters"
            raise ExpressionError(message, LENGTH_MAX, "split it")
        if not source:
            raise ExpressionError(empty, 0, empty_hint)
        if "\0" in self._text:
            raise ExpressionError("a null character", self._text.index("\0"))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(source, mode="eval").body
        except SyntaxError as fault:
            # At the end of the text Python reports column 0.
            column = fault.offset - 1 if fault.offset else len(source.rstrip())
            offset = min(column + self._indent, len(self._text))
            message = f"cannot be read: {fault.msg}"
            raise ExpressionError(message, offset, _syntax_hint(source)) from fault
        except (RecursionError, MemoryError, ValueError) as fault:
            raise ExpressionError("cannot be read", self._indent) from fault

    def error(self, where: ast.expr, message: str, hint: str = "") -> ExpressionError:
        """The error at the place of ``where``; Python counts columns in UTF-8 bytes."""
        before = self._text[self._indent :].encode()[: where.col_offset].decode(errors="ignore")
        return ExpressionError(message, self._indent + len(before), hint)


def _syntax_hint(source: str) -> str:
    if "&&" in source or "||" in source:
        return "write `and`, `or`"
    bare = source.replace("==", "").replace("!=", "").replace("<=", "").replace(">=", "")
    return "`==` compares" if "=" in bare else ""
