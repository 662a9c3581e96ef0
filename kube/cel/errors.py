"""What can go wrong with an expression.

    CelError
      CompileError       the text is no valid expression; worded and laid out as cel-go prints it
        ResultTypeError        it is, but gives something else than it must
        InstantiationError     it is, but a constant in it cannot be used: a pattern, a conversion
      EvaluationError    a value made the expression fail ("no such key: a"); `&&`, `||`, `all` and `exists` may absorb it
      CostExceeded       the evaluation cost more than its budget; nothing absorbs it
"""

from __future__ import annotations

from typing import Final, NamedTuple

_MOST_REPORTED: Final = 100
_LONGEST_SNIPPET: Final = 16384


class CelError(Exception):
    """Whatever is wrong with an expression or its evaluation."""


class EvaluationError(CelError):
    """The expression has no value for these bindings."""


class CostExceeded(CelError):
    """More was computed than the budget allows."""

    def __init__(self, message: str = "operation cancelled: actual cost limit exceeded") -> None:
        super().__init__(message)


FAILURES: Final = (EvaluationError, TypeError, AttributeError)   # data that does not keep to its schema shows as the latter two


class Issue(NamedTuple):
    """One fault: the offset of a code point in the source (-1: none), and what is wrong."""

    offset: int
    message: str


class CompileError(CelError):
    """`issues` in the order of the source; the text has a line, the source and a caret for each."""

    def __init__(self, issues: list[Issue], source: str) -> None:
        self.issues = sorted(issues, key=lambda issue: issue.offset)
        self.source = source
        shown = [_display(issue, source) for issue in self.issues[:_MOST_REPORTED]]
        if len(issues) > _MOST_REPORTED:
            shown.append(f"{len(issues) - _MOST_REPORTED} more errors were truncated")
        super().__init__("\n".join(shown))


class ResultTypeError(CompileError):
    """ "must evaluate to bool but got int"."""

    def __init__(self, message: str, source: str) -> None:
        super().__init__([], source)
        self.args = (message,)


class InstantiationError(CompileError):
    """Upstream's "program instantiation failed"; the text is the reason alone."""

    def __init__(self, message: str, source: str) -> None:
        super().__init__([], source)
        self.args = (message,)


def _display(issue: Issue, source: str) -> str:
    if issue.offset < 0:
        return f"ERROR: <input>:-1:0: {issue.message}"
    start = source.rfind("\n", 0, issue.offset) + 1
    line, column = source.count("\n", 0, issue.offset) + 1, issue.offset - start
    end = source.find("\n", start)
    text = (source[start:] if end < 0 else source[start:end]).replace("\t", " ")
    shown = f"ERROR: <input>:{line}:{column + 1}: {issue.message}"
    if len(text.encode()) > _LONGEST_SNIPPET:
        return shown
    marks = "".join("." if character.isascii() else "\uff0e" for character in text[:column])
    caret = "^" if column >= len(text) or text[column].isascii() else "\uff3e"
    return f"{shown}\n | {text}\n | {marks}{caret}"
