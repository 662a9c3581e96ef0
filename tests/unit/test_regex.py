"""Patterns of users mean what they mean in Go, and are refused in its words."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kube.apimachinery.regex import RegexError, compiled


@pytest.mark.parametrize(("pattern", "text", "found"), [
    ("^a$", "a\n", None), ("(?m)^b$", "a\nb\nc", "b"), ("a.b", "a\nb", None), ("(?s)a.b", "a\nb", "a\nb"), ("(?i)AbC", "xabc", "abc"),
    ("a(?i)b|c", "C", "C"),
    ("(?i:a)b", "AB", None), (r"\d+", "٣5", "5"), (r"\w+", "éa", "a"), (r"\s", "\v", None), (r"[[:alpha:]]+", "1ab2", "ab"),
    (r"[^[:digit:]]", "1a", "a"),
    (r"\pL+", "1é2", "é"), (r"\p{Lu}", "aÉ", "É"), (r"\PL", "a1", "1"), (r"\Qa.b\E+", "a.bb", "a.bb"), (r"\x41\x{1F600}", "A😀", "A😀"),
    ("a{,2}", "a{,2}", "a{,2}"),
    (r"[a\-z&&[]+", "-&[", "-&["), ("(?U)a+", "aaa", "a"), ("(?P<n>a)(?<m>b)", "ab", "ab"), (r"\z", "a", ""), (r"a\b", "aé", "a"),
    ("(a|b)*?c", "abc", "abc"),
    ("[]a]", "]", "]"), ("x*", "", ""),
])
def test_patterns_mean_what_they_mean_in_re2(pattern: str, text: str, found: str | None) -> None:
    expression = compiled(pattern)

    assert next(expression.find_all(text), None) == found
    assert expression.matches(text) == (found is not None)


@pytest.mark.parametrize(("pattern", "text", "found"), [
    ("a*", "baac", ["", "aa", ""]), ("", "é😀", ["", "", ""]), (r"\b", " ab", ["", ""]), ("(?m)^.", "é\nb", ["é", "b"]),
    ("a|", "aab", ["a", "a", ""]),
    (r"\pL", "1é2ß", ["é", "ß"]), ("(?i)straße|K", "STRAßE \u212a", ["STRAßE", "\u212a"]), ("x", "", []),
])
def test_all_that_matches_as_go_counts_it(pattern: str, text: str, found: list[str]) -> None:
    assert list(compiled(pattern).find_all(text)) == found


def test_a_pattern_made_to_be_slow_is_not() -> None:
    """A backtracking engine would try 2^40 ways; it also holds the interpreter meanwhile, hence another process."""
    asked = "from kube.apimachinery.regex import compiled; print(compiled('^(a+)+$').matches('a' * 40 + 'b'))"

    assert subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True, timeout=30).stdout == "False\n"


def test_a_program_too_large_is_refused() -> None:
    with pytest.raises(RegexError, match="expression too large"):
        compiled(r"\pL{1000}")


@pytest.mark.parametrize(("pattern", "message"), [
    ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"), ("(?<!a)b", "invalid named capture: `(?<!a)b`"),
    (r"(a)\1", r"invalid escape sequence: `\1`"),
    ("a**", "invalid nested repetition operator: `**`"), ("a++", "invalid nested repetition operator: `++`"),
    ("*a", "missing argument to repetition operator: `*`"),
    ("(a", "missing closing ): `(a`"), ("a)", "unexpected ): `a)`"), ("[a", "missing closing ]: `[a`"),
    ("a{1001}", "invalid repeat count: `{1001}`"),
    (r"\Z", r"invalid escape sequence: `\Z`"), ("[b-a]", "invalid character class range: `b-a`"),
    (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"), ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
    (r"a\8", r"invalid escape sequence: `\8`"), (r"\C", r"invalid escape sequence: `\C`"),
    ("a\\", "trailing backslash at end of expression: ``"),
    ("a{9999999999}", "invalid repeat count: `{9999999999}`"), ("(a{100}){100}", "invalid repeat count: `{100}`"),
    ("(?P<n-x>a)", "invalid named capture: `(?P<n-x>`"), ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
    ("(?>a)", "invalid or unsupported Perl syntax: `(?>`"),
])
def test_what_go_refuses_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(RegexError) as caught:
        compiled(pattern)

    assert str(caught.value) == f"error parsing regexp: {message}"
