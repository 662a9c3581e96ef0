"""RE2's patterns on Python's re."""

from __future__ import annotations

import pytest

from kube.cel.regex import RegexError, compiled


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
    match = compiled(pattern).search(text)

    assert (match and match[0]) == found


@pytest.mark.parametrize(("pattern", "message"), [
    ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"), ("(?<!a)b", "invalid or unsupported Perl syntax: `(?<!`"),
    (r"(a)\1", r"invalid escape sequence: `\1`"),
    ("a**", "invalid nested repetition operator: `**`"), ("a++", "invalid nested repetition operator: `++`"),
    ("*a", "missing argument to repetition operator: `*`"),
    ("(a", "missing closing ): `(a`"), ("a)", "unexpected ): `a)`"), ("[a", "missing closing ]: `[a`"),
    ("a{1001}", "invalid repeat count: `{1001}`"),
    (r"\Z", r"invalid escape sequence: `\Z`"), ("[b-a]", "invalid character class range: `b-a`"),
    (r"\p{Greek}", r"invalid character class range: `\p{Greek}`"),
    ("(?>a)", "invalid or unsupported Perl syntax: `(?>`"),
])
def test_what_re2_refuses_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(RegexError) as caught:
        compiled(pattern)

    assert str(caught.value) == f"error parsing regexp: {message}"
