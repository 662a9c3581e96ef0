"""What Go's JSON shows of a type: which fields stand there whatever they hold, and which are left out when they are empty.

A field is one or the other by its tag (omitempty, omitzero) and by being a pointer; the tags are in codec/protobuf_table.json.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from kube.apimachinery.codec.protobuf_table import Field, table

_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."
_ZEROS: Final[dict[str, Any]] = {
    "s": "", "i": 0, "l": 0, "b": False, "d": 0, "y": None,
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "0", "io.k8s.apimachinery.pkg.util.intstr.IntOrString": 0,
    "io.k8s.apimachinery.pkg.runtime.RawExtension": None, _META + "Time": None, _META + "MicroTime": None,
}
_STRUCT: Final = object()


@dataclass(frozen=True, slots=True)
class WireForm:
    """Of one definition, by JSON name."""

    shown: tuple[tuple[str, Any], ...] = ()             # always there -> its zero; a struct's is made anew, see `zero_struct`
    structs: tuple[tuple[str, str], ...] = ()           # always there -> definition
    omitted: frozenset[str] = field(default_factory=frozenset)      # gone when it is "", 0, false or empty
    string_types: tuple[tuple[str, str], ...] = ()      # -> the type's name as Go prints it: v1.DNSPolicy
    embedded: dict[str, str] = field(default_factory=dict)      # -> the Go struct inside this one that the field is of: ProbeHandler


@cache
def wire_form(definition: str) -> WireForm:
    """Of a definition by its full name; one that the table does not know shows nothing and omits nothing."""
    if definition not in table():
        return WireForm()
    fields = _flat(definition)
    shown = [(one.name, None if one.pointer else _zero(one)) for one in fields if one.shown]
    return WireForm(
        tuple((name, zero) for name, zero in shown if zero is not _STRUCT),
        tuple((one.name, one.type) for one in fields if one.shown and not one.pointer and _zero(one) is _STRUCT),
        frozenset(one.name for one in fields if one.omitted_when_empty and (one.scalar or one.repeated or one.mapped)),
        tuple((one.name, one.string_type) for one in fields if one.string_type),
        {inner.name: one.type.rpartition(".")[2] for one in table().fields(definition) if one.inline for inner in _flat(one.type)},
    )


def zero_struct(definition: str) -> dict[str, Any]:
    """What Go shows of an empty value of the type."""
    form = wire_form(definition)
    return {**dict(form.shown), **{name: zero_struct(of) for name, of in form.structs}}


def _flat(definition: str) -> list[Field]:
    found: list[Field] = []
    for one in table().fields(definition):
        found += _flat(one.type) if one.inline else [one]
    return found


def _zero(one: Field) -> Any:
    return None if one.repeated or one.mapped else _ZEROS.get(one.type, _STRUCT)
