"""Sets of fields: trees in the very form of FieldsV1, so that reading and writing them costs nothing.

    {"f:spec": {"f:replicas": {}, "f:template": {".": {}, "f:metadata": {}}}}

A node that is empty, or has ".", is in the set itself; the other nodes only lead to others. The root is never a member. Nodes are
shared between sets and never changed; every operation returns its argument itself where nothing would change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from kube.apimachinery.managed_fields.path_element import SELF, Element, InvalidElementError, normal, order, shown

Node = dict[str, Any]
Path = tuple[Element, ...]
LEAF: Final[Node] = {}
EMPTY: Final[Node] = {}
_MAX_DEPTH: Final = 200

_encode: Final = msgspec.json.Encoder(order="sorted").encode
_decode: Final = msgspec.json.Decoder().decode


def of(paths: Iterable[Path]) -> Node:
    """The set with these paths, each a tuple of elements."""
    found: Node = {}
    for path in paths:
        tree: Node = LEAF
        for element in reversed(path):
            tree = {element: tree}
        found = union(found, tree)
    return found


def is_member(node: Node | None) -> bool:
    return node is not None and (not node or SELF in node)


def has(fields: Node, path: Path) -> bool:
    node: Node | None = fields
    for element in path:
        node = node.get(element) if node else None
    return bool(path) and is_member(node)


def node_of(children: Node, *, member: bool) -> Node | None:
    """A node with these children; None when that would be nothing."""
    if not member:
        return children or None
    return {SELF: LEAF, **children} if children else LEAF


def _joined(left: Node, right: Node) -> Node:
    if left is right or (not right and (not left or SELF in left)):
        return left
    if not left or not right:
        full = left or right
        return full if not full or SELF in full else {SELF: LEAF, **full}
    return union(left, right)


def union(left: Node, right: Node) -> Node:
    if not left:
        return right
    found: Node | None = None
    for element, node in right.items():
        held = left.get(element)
        joined = node if held is None else _joined(held, node)
        if joined is not held:
            if found is None:
                found = dict(left)
            found[element] = joined
    return left if found is None else found


def intersection(left: Node, right: Node) -> Node:
    small, large = (left, right) if len(left) <= len(right) else (right, left)
    found: Node = {}
    for element in small:
        other = large.get(element)
        if other is not None and element != SELF:
            node = small[element]
            children = intersection(node, other) if node and other else EMPTY
            shared = node_of(children, member=is_member(node) and is_member(other))
            if shared is not None:
                found[element] = shared
    return found


def difference(left: Node, right: Node, *, recursive: bool = False) -> Node:
    """What is in `left` only. `recursive`: a member of `right` takes everything below it along."""
    found: Node | None = None
    for element, node in right.items():
        held = left.get(element)
        if held is None or element == SELF:
            continue
        kept = None if recursive and is_member(node) else _without(held, node, recursive)
        if kept is not held:
            if found is None:
                found = dict(left)
            if kept is None:
                del found[element]
            else:
                found[element] = kept
    return left if found is None else found


def _without(held: Node, gone: Node, recursive: bool) -> Node | None:
    if not held:
        return None if is_member(gone) else held
    kept = difference(held, gone, recursive=recursive)
    if SELF in kept and is_member(gone):
        kept = {element: node for element, node in kept.items() if element != SELF}
    elif SELF in kept and len(kept) == 1:
        return LEAF
    return kept or None


def paths(fields: Node, prefix: Path = ()) -> Iterator[Path]:
    """Every member, in upstream's order: those of a node before those below it."""
    elements = sorted((element for element in fields if element != SELF), key=order)
    for element in elements:
        if is_member(fields[element]):
            yield (*prefix, element)
    for element in elements:
        yield from paths(fields[element], (*prefix, element))


def path_text(path: Path) -> str:
    return "".join(map(shown, path))


def encode(fields: Node) -> bytes:
    """FieldsV1 as JSON, sorted (as texts; upstream sorts numbers in keys by value): equal sets are equal bytes."""
    return _encode(fields)


def decode(data: bytes | msgspec.Raw) -> Node:
    """FieldsV1 as `encode` wrote it: what stands there is a set already."""
    fields: Node = _decode(data)
    return fields


def normalised(tree: Any) -> Node:
    """FieldsV1 as a client wrote it. Raises ValueError."""
    if tree is None:
        return EMPTY
    found, _ = _normal(tree, _MAX_DEPTH)
    return found


def _normal(tree: Any, levels: int) -> tuple[Node, bool]:
    """The children, and whether the node itself is a member."""
    if not isinstance(tree, dict):
        raise InvalidElementError("expected an object")
    if not levels:
        raise InvalidElementError("nested too deeply")
    found: Node = {}
    for name, inner in tree.items():
        element = None if name == SELF else normal(name)
        if element is not None:
            children, member = _normal(inner, levels - 1)
            node = node_of(children, member=member)
            if node is not None:
                found[element] = _joined(found[element], node) if element in found else node
    return found, SELF in tree or not found
