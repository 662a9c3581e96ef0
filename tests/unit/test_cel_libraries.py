"""Kubernetes' function libraries: the examples of its documentation, and their edges."""

from __future__ import annotations

from typing import Any

import pytest

from kube.cel import CelError, EvaluationError
from kube.cel import compile as compile_expression
from kube.cel.library.authorizer import Authorizer, Check, Decision
from kube.cel.types import AUTHORIZER, DYN, STRING

TRUE = [
    # lists
    "['a', 'a', 'b', 'c'].isSorted()", "[1, 3, 2].sum() == 6", "['a', 'b', 'b', 'c'].indexOf('b') == 1",
    "['a', 'b', 'b'].lastIndexOf('b') == 2",
    "[1, 5, 3].max() == 5", "['b', 'a'].min() == 'a'", "[1.0].max() == 1.0", "[duration('1s'), duration('2s')].sum() == duration('3s')",
    "!([2.0, 1.0].isSorted())", "[1, 2].includes(2)", "dyn('a').includes('a')", "[[1], [2, 3]].flatten() == [1, 2, 3]",
    "[3, 1, 2].sort() == [1, 2, 3]",
    "[1, 2, 3, 4].slice(1, 3) == [2, 3]", "[1, 2, 1].distinct() == [1, 2]", "lists.range(3) == [0, 1, 2]", "[1, 2].reverse() == [2, 1]",
    "['bb', 'a'].sortBy(x, x.size()) == ['a', 'bb']", "[[[1]], [[2]]].flatten(2) == [1, 2]",
    # regex
    "'abc 123'.find('[0-9]*') == ''", "'abc 123'.find('[0-9]+') == '123'", "'1.2.3.4'.findAll('[0-9]+').map(x, int(x)).sum() == 10",
    "'123 abc 456'.findAll('[0-9]+', 1) == ['123']", "'abc'.findAll('[0-9]') == []",
    # url
    "url('https://example.com:80/').getHost() == 'example.com:80'",
    "url('https://example.com/path with spaces/').getEscapedPath() == '/path%20with%20spaces/'",
    "url('https://[::1]:80/a').getHostname() == '::1'", "url('/path').getScheme() == ''", "isURL('https://example.com')",
    "!isURL('../relative-path')",
    "url('https://e.com/?a=1&a=2&b=x%20y').getQuery() == {'a': ['1', '2'], 'b': ['x y']}", "url('https://e.com').getPort() == ''",
    "url('https://user:pass@example.com:80/').getHost() == 'example.com:80'", "!isURL('https://a b')",
    # ip and cidr
    "isIP('127.0.0.1')", "!isIP('127.0.0.256')", "!isIP('::ffff:1.2.3.4')", "!isIP('fe80::1%en0')", "ip('127.0.0.1').isLoopback()",
    "ip.isCanonical('2001:db8::abcd')", "!ip.isCanonical('2001:DB8::ABCD')", "ip('::1').family() == 6",
    "ip('224.0.0.1').isLinkLocalMulticast()",
    "ip('169.254.1.1').isLinkLocalUnicast()", "ip('192.168.0.1').isGlobalUnicast()", "!ip('255.255.255.255').isGlobalUnicast()",
    "ip('0.0.0.0').isUnspecified()",
    "string(ip('10.0.0.1')) == '10.0.0.1'", "cidr('192.168.0.0/24').containsIP('192.168.0.1')",
    "!cidr('192.168.0.0/24').containsIP(ip('192.168.1.1'))",
    "cidr('192.168.0.0/24').containsCIDR('192.168.0.128/25')", "!cidr('192.168.0.0/24').containsCIDR('192.168.0.0/23')",
    "cidr('192.168.0.1/24').ip() == ip('192.168.0.1')", "cidr('192.168.0.1/24').masked() == cidr('192.168.0.0/24')",
    "cidr('::1/128').prefixLength() == 128",
    "string(cidr('10.0.0.0/8')) == '10.0.0.0/8'", "!isCIDR('10.0.0.0/33')", "type(ip('1.2.3.4')) == net.IP",
    # quantity
    "quantity('500000G').isGreaterThan(quantity('1Mi'))", "isQuantity('1.3Gi')", "!isQuantity('1,3G')", "quantity('50000000G').isInteger()",
    "!quantity('9999999999999999999999999999999999999G').isInteger()", "quantity('50k').asInteger() == 50000",
    "quantity('200M').compareTo(quantity('0.2G')) == 0",
    "quantity('50k').add(20) == quantity('50020')", "quantity('50k').sub(quantity('20')) == quantity('49980')",
    "sign(quantity('-1')) == -1",
    "quantity('50.703k').asApproximateFloat() > 50702.9", "quantity('100m').isLessThan(quantity('1'))",
    # semver
    "semver('1.2.3').isLessThan(semver('1.10.0'))", "isSemver('1.0.0-alpha.1+build')", "!isSemver('v1.0')", "isSemver('v1.0', true)",
    "semver('v01.01', true).compareTo(semver('1.1.0')) == 0", "semver('1.0.0-alpha').isLessThan(semver('1.0.0'))",
    "semver('1.2.3').patch() == 3",
    "semver('1.0.0-alpha.1').isLessThan(semver('1.0.0-alpha.beta'))", "semver('1.0.0+a') == semver('1.0.0+b')",
    # format
    "!format.dns1123Label().validate('my-label-name').hasValue()", "format.dns1123Label().validate('My').hasValue()",
    "format.named('nope') == optional.none()",
    "format.named('uuid').value().validate('nope').value() == ['does not match the UUID format']",
    "!format.dns1123LabelPrefix().validate('a-').hasValue()", "!format.uri().validate('https://a').hasValue()",
    "!format.date().validate('2020-02-29').hasValue()",
    "format.date().validate('2021-02-29').hasValue()", "!format.qualifiedName().validate('a.com/b').hasValue()",
    "!format.labelValue().validate('').hasValue()",
    "format.dns1035Label().validate('1a').hasValue()", "!format.byte().validate('aGk=').hasValue()",
    "!format.datetime().validate('2020-01-01T00:00:00Z').hasValue()",
    # sets
    "sets.contains([1, 2, 3], [2])", "sets.equivalent([1, 1], [1])", "sets.intersects([1], [1, 2])", "!sets.intersects([1], [])",
    # strings
    "'tacocat'.charAt(3) == 'o'", "'hello mellow'.indexOf('ello', 2) == 7", "'hello mellow'.lastIndexOf('ello') == 7",
    "'hello mellow'.lastIndexOf('ello', 6) == 1",
    "['a', 'b'].join('-') == 'a-b'", "'TacoCÆt'.lowerAscii() == 'tacocÆt'", "'hello hello'.replace('he', 'we', 1) == 'wello hello'",
    "'hello'.replace('', '_') == '_h_e_l_l_o_'", "'a b c'.split(' ', 2) == ['a', 'b c']", "'abc'.split('') == ['a', 'b', 'c']",
    "'tacocat'.substring(0, 4) == 'taco'",
    "'  \\ttrim\\n'.trim() == 'trim'", "'tacoCat'.upperAscii() == 'TACOCAT'", "strings.quote('a\"b\\n') == '\"a\\\\\"b\\\\n\"'",
    "'a'.split(' ', 0) == []",
    "'%s %d %.2f %x %X %o %b'.format(['a', 1, 1234.567, 255, 'hi', 8, true]) == 'a 1 1,234.57 ff 6869 10 1'",
    "'%%%s%%'.format(['x']) == '%x%'",
    "'%s'.format([[1, 'a', 2.5]]) == '[1, \"a\", 2.500000]'", "'%s'.format([{'b': 1, 'a': null}]) == '{\"a\":null, \"b\":1}'",
    "'%s'.format([duration('1h')]) == '3600s'", "'%e'.format([3.14]) == '3.140000×10⁰⁰'", "'%.3f'.format([1.2345]) == '1.234'",
]


@pytest.mark.parametrize("source", TRUE)
def test_documented_examples_hold(source: str) -> None:
    assert compile_expression(source, {}).evaluate({}) is True


@pytest.mark.parametrize(("source", "message"), [
    ("[].max() == 1", "max called on empty list"), ("'a'.charAt(5)", "index out of range: 5"),
    ("'abc'.substring(2, 1)", "invalid substring range. start: 2, end: 1"),
    ("[1].slice(0, 2)", "cannot slice(0, 2), list is length 1"),
    ("url('../x')", 'URL parse error during conversion from string: parse "../x": invalid URI for request'),
    ("quantity('x')", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
    ("quantity('0.5').asInteger()", "cannot convert value to integer"), ("semver('1.2')", "No Major.Minor.Patch elements found"),
    ("ip('::ffff:1.2.3.4')", 'IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed'),
    ("authorizer.path(' ')", "path must not be empty"),
    ("authorizer.serviceAccount('default', 'A')", "Invalid service account name"),
    ("d.find('[')", "Illegal regex: error parsing regexp: missing closing ]: `[`"),
])
def test_library_errors_have_upstreams_words(source: str, message: str) -> None:
    pattern_in_data = source.replace("d.find('[')", "s.find(p)")
    variables = {"authorizer": AUTHORIZER, "s": STRING, "p": STRING, "d": DYN}

    program = compile_expression(pattern_in_data, variables, result=None)
    with pytest.raises(CelError) as caught:
        program.evaluate({"authorizer": Authorizer(lambda _: Decision(True)), "s": "", "p": "["})

    assert isinstance(caught.value, EvaluationError) and str(caught.value) == message


def test_authorization_checks_ask_the_authorizer() -> None:
    asked: list[Check] = []

    def decide(check: Check) -> Decision:
        asked.append(check)
        return Decision(check.verb == "create", reason="because")
    source = ("authorizer.serviceAccount('default', 'sa').group('apps').resource('deployments').subresource('status').namespace('ns')"
              ".name('web').labelSelector('a=b').check('create').allowed() && !authorizer.path('/healthz').check('get').allowed()"
              " && authorizer.path('/healthz').check('get').reason() == 'because' && !authorizer.path('/x').check('get').errored()")

    program = compile_expression(source, {"authorizer": AUTHORIZER})

    assert program.evaluate({"authorizer": Authorizer(decide)}, budget=2_000_000) is True
    assert asked[0] == Check("create", ("default", "sa"), "", "apps", "deployments", "status", "ns", "web", "", "a=b")
    assert asked[1] == Check("get", None, "/healthz")


@pytest.mark.parametrize(("source", "extension", "value"), [
    ("jsonpatch.escapeKey('k8s.io/a~b')", "jsonpatch", "k8s.io~1a~0b"), ("math.greatest(1, 3, 2)", "math", 3),
    ("math.least([1.5, 0.5])", "math", 0.5),
    ("math.round(-2.5)", "math", -3.0), ("math.bitShiftRight(-1, 60)", "math", 15), ("math.sign(-3)", "math", -1),
    ("math.isNaN(0.0 / 0.0)", "math", True),
    ("base64.encode(b'hi')", "encoders", "aGk="), ("base64.decode('aGk')", "encoders", b"hi"),
])
def test_extensions_are_there_on_request(source: str, extension: str, value: Any) -> None:
    with pytest.raises(CelError):
        compile_expression(source, {}, result=None)

    assert compile_expression(source, {}, result=None, extensions=frozenset({extension})).evaluate({}) == value
