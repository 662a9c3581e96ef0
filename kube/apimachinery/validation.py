"""What a validation says: causes as upstream's field.Error words them, and the formats of names, labels and ports.

`*_problems` functions return sentences about a value (empty: fine); the others build a `Cause`.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from kube.apimachinery.errors import Cause

FIELD_IMMUTABLE: Final = "field is immutable"
NOT_NEGATIVE: Final = "must be greater than or equal to 0"
INT32_MAX: Final = 2**31 - 1
_MEMORABLE: Final = 320      # longer texts are wrong anyway; kept as keys of a cache they would only fill the memory

NameRule = Callable[[str], list[str]]


def required(path: str, detail: str = "") -> Cause:
    return Cause("FieldValueRequired", path, _body("Required value", detail))


def invalid(path: str, value: Any, detail: str) -> Cause:
    return Cause("FieldValueInvalid", path, _body(f"Invalid value: {shown(value)}", detail))


def not_supported(path: str, value: Any, supported: Iterable[str]) -> Cause:
    listed = ", ".join(json.dumps(item) for item in supported)
    detail = f"supported values: {listed}" if listed else ""
    return Cause("FieldValueNotSupported", path, _body(f"Unsupported value: {shown(value)}", detail))


def forbidden(path: str, detail: str) -> Cause:
    return Cause("FieldValueForbidden", path, _body("Forbidden", detail))


def duplicate(path: str, value: Any) -> Cause:
    return Cause("FieldValueDuplicate", path, f"Duplicate value: {shown(value)}")


def invalid_whole(path: str, detail: str) -> Cause:
    """Wrong as it is; the value is not worth showing."""
    return Cause("FieldValueInvalid", path, _body("Invalid value", detail))


def value_not_found(path: str, value: Any) -> Cause:
    return Cause("FieldValueNotFound", path, f"Not found: {shown(value)}")


def too_long(path: str, limit: int, unit: str = "bytes") -> Cause:
    return Cause("FieldValueTooLong", path, f"Too long: may not be more than {limit} {unit}")


def too_many(path: str, actual: int, limit: int) -> Cause:
    return Cause("FieldValueTooMany", path, f"Too many: {actual}: must have at most {limit} {'item' if limit == 1 else 'items'}")


def each(path: str, value: Any, problems: Iterable[str]) -> list[Cause]:
    """One `invalid` for every problem found with a value."""
    return [invalid(path, value, problem) for problem in problems]


def not_negative(path: str, value: int | None) -> list[Cause]:
    return [invalid(path, value, NOT_NEGATIVE)] if value is not None and value < 0 else []


def shown(value: Any) -> str:
    """A value as a message shows it: Go's %q for strings, JSON for the rest."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _body(head: str, detail: str) -> str:
    return f"{head}: {detail}" if detail else head


_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = _LABEL + r"(\." + _LABEL + ")*"
_UNDERSCORED: Final = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_UNDERSCORED_SUBDOMAIN: Final = _UNDERSCORED + r"(\." + _UNDERSCORED + ")*"
_DNS1035: Final = "[a-z]([-a-z0-9]*[a-z0-9])?"
_KEY: Final = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE: Final = f"({_KEY})?"
_C_IDENTIFIER: Final = "[A-Za-z_][A-Za-z0-9_]*"
_CONFIG_KEY: Final = "[-._a-zA-Z0-9]+"
_PERCENT: Final = "[0-9]+%"

_KEY_WORDS: Final = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"


def regex_problem(message: str, pattern: str, *examples: str) -> str:
    """Upstream's RegexError: the rule, examples, and the expression itself."""
    if not examples:
        return f"{message} (regex used for validation is '{pattern}')"
    shown_examples = " or ".join(f"'{example}', " for example in examples)
    return f"{message} (e.g. {shown_examples}regex used for validation is '{pattern}')"


def length_problem(limit: int, unit: str = "characters") -> str:
    return f"must be no more than {limit} {unit}"


def range_problem(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


def dns_label_problems(value: str) -> list[str]:
    """RFC 1123 label: most names that become part of a host name."""
    problems = [length_problem(63)] if len(value) > 63 else []
    if not re.fullmatch(_LABEL, value):
        if re.fullmatch(_SUBDOMAIN, value):
            return [*problems, "must not contain dots"]
        problems.append(regex_problem(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "
            "alphanumeric character", _LABEL, "my-name", "123-abc"))
    return problems


def dns_subdomain_problems(value: str) -> list[str]:
    """RFC 1123 subdomain: what most objects are named by."""
    problems = [length_problem(253)] if len(value) > 253 else []
    if not re.fullmatch(_SUBDOMAIN, value):
        problems.append(regex_problem(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with "
            "an alphanumeric character", _SUBDOMAIN, "example.com"))
    return problems


def underscored_subdomain_problems(value: str) -> list[str]:
    """What a resolver may search in: a subdomain whose labels may have underscores."""
    problems = [length_problem(253)] if len(value) > 253 else []
    if not re.fullmatch(_UNDERSCORED_SUBDOMAIN, value):
        problems.append(regex_problem(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end "
            "with an alphanumeric character", _UNDERSCORED_SUBDOMAIN, "example.com"))
    return problems


def c_identifier_problems(value: str) -> list[str]:
    """A name as programs have them."""
    return [] if re.fullmatch(_C_IDENTIFIER, value) else [regex_problem(
        "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
        _C_IDENTIFIER, "my_name", "MY_NAME", "MyName")]


def domain_path_problems(value: str) -> list[str]:
    """A domain, a slash and a path, as names of controllers are."""
    if not value:
        return ["must be a domain-prefixed path (such as \"acme.io/foo\")"]
    domain, slash, path = value.partition("/")
    if not slash or not domain or not path:
        return ["must be a domain-prefixed path (such as \"acme.io/foo\")"]
    problems = dns_subdomain_problems(domain)
    form = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
    return problems if re.fullmatch(form, path) else [*problems, regex_problem("Invalid path", form)]


def dns1035_problems(value: str) -> list[str]:
    problems = [length_problem(63)] if len(value) > 63 else []
    if not re.fullmatch(_DNS1035, value):
        problems.append(regex_problem(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end "
            "with an alphanumeric character", _DNS1035, "my-name", "abc-123"))
    return problems


def wildcard_subdomain_problems(value: str) -> list[str]:
    pattern = r"\*\." + _SUBDOMAIN
    if len(value) <= 253 and re.fullmatch(pattern, value):
        return []
    return [regex_problem(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case "
        "alphanumeric characters, '-' or '.' and end with an alphanumeric character", pattern, "*.example.com")]


def path_segment_problems(value: str) -> list[str]:
    """Names that need only survive in a URL path: RBAC's."""
    if value in {".", ".."}:
        return [f"may not be '{value}'"]
    return [f"may not contain '{char}'" for char in "/%" if char in value]


@lru_cache(maxsize=8192)
def _qualified_name_problems(value: str) -> tuple[str, ...]:
    parts = value.split("/")
    if len(parts) > 2:
        return ("a valid label key " + regex_problem(_KEY_WORDS, _KEY, "MyName", "my.name", "123-abc")
                + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",)
    problems: list[str] = []
    if len(parts) == 2:
        if not parts[0]:
            problems.append("prefix part must be non-empty")
        problems += [f"prefix part {problem}" for problem in (dns_subdomain_problems(parts[0]) if parts[0] else [])]
    name = parts[-1]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append(f"name part {length_problem(63, 'bytes')}")
    if not re.fullmatch(_KEY, name):
        problems.append("name part " + regex_problem(_KEY_WORDS, _KEY, "MyName", "my.name", "123-abc"))
    return tuple(problems)


def qualified_name_problems(value: str) -> list[str]:
    """Keys of labels, annotations, taints, finalizers: an optional DNS prefix, a slash, a name."""
    return list(_qualified_name_problems(value) if len(value) <= _MEMORABLE else _qualified_name_problems.__wrapped__(value))


@lru_cache(maxsize=8192)
def _label_value_problems(value: str) -> tuple[str, ...]:
    problems = [length_problem(63, "bytes")] if len(value) > 63 else []
    if not re.fullmatch(_LABEL_VALUE, value):
        problems.append(regex_problem(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with "
            "an alphanumeric character", _LABEL_VALUE, "MyValue", "my_value", "12345"))
    return tuple(problems)


def label_value_problems(value: str) -> list[str]:
    return list(_label_value_problems(value) if len(value) <= _MEMORABLE else _label_value_problems.__wrapped__(value))


def config_key_problems(value: str) -> list[str]:
    """Keys of ConfigMaps and Secrets, which become file names."""
    problems = [length_problem(253)] if len(value) > 253 else []
    if not re.fullmatch(_CONFIG_KEY, value):
        problems.append(regex_problem(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'", _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    return problems + _directory_problems(value)


def env_name_problems(value: str) -> list[str]:
    """Names of environment variables: printable ASCII without "=" (v1.34 and later)."""
    if not value:
        return ["environment variable name must be non-empty"]
    if not all(" " <= char <= "~" and char != "=" for char in value):
        return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]
    return []


def _directory_problems(value: str) -> list[str]:
    if value in {".", ".."}:
        return [f"must not be '{value}'"]
    return ["must not start with '..'"] if value.startswith("..") else []


def port_number_problems(port: int) -> list[str]:
    return [] if 1 <= port <= 65535 else [range_problem(1, 65535)]


def port_name_problems(name: str) -> list[str]:
    problems = [length_problem(15)] if len(name) > 15 else []
    if not re.fullmatch("[-a-z0-9]+", name):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", name):
        problems.append("must contain at least one letter (a-z)")
    if "--" in name:
        problems.append("must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        problems.append("must not begin or end with a hyphen")
    return problems


def percent_problems(value: str) -> list[str]:
    if re.fullmatch(_PERCENT, value):
        return []
    return [regex_problem("a valid percent string must be a numeric string followed by an ending '%'", _PERCENT, "1%", "93%")]


def ip_problems(value: str) -> list[str]:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return []


def cidr_problems(value: str) -> list[str]:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]
    return [] if "/" in value else ["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"]
