"""The paths that the OpenAPI documents describe, said once: openapi_v2.py and openapi_v3.py only write them down.

    rows of resources.py -> Path(Operation, ...) -> v2 or v3

Deprecated watch paths are left out: nothing reads them. kubectl and the client generators look for `x-kubernetes-action` and the kind on
each operation, and for the query parameters of PATCH.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kube.apimachinery.openapi_custom import model_name
from kube.apimachinery.resources import subresource_of
from kube.apimachinery.schema import META_V1, definition_name
from kube.apimachinery.scheme import GroupVersion, GroupVersionKind, ResourceType

DELETE_OPTIONS = META_V1 + "DeleteOptions"
STATUS = META_V1 + "Status"
PATCH = META_V1 + "Patch"
RESOURCE_LIST = META_V1 + "APIResourceList"

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH)
CUSTOM_PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, "application/apply-patch+yaml")
MEDIA_TYPES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")
WATCH_TYPES = (*MEDIA_TYPES, "application/json;stream=watch")


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: str
    description: str


def _parameters(*rows: tuple[str, str, str]) -> tuple[Parameter, ...]:
    return tuple(Parameter(*row) for row in rows)


PRETTY = _parameters(("pretty", "string", "If 'true', the answer is indented."))
DRY_RUN = _parameters(("dryRun", "string", "With 'All' every check is made and nothing is stored."))
FIELD_MANAGER = _parameters(
    ("fieldManager", "string", "Name of the one who makes the change, for managedFields."),
    ("fieldValidation", "string", "What happens to unknown and duplicate fields: Ignore, Warn or Strict."),
)
FORCE = _parameters(("force", "boolean", "Takes over fields that another manager owns; for apply patches only."))
LIST = _parameters(
    ("allowWatchBookmarks", "boolean", "Asks for BOOKMARK events in a watch."),
    ("continue", "string", "Where the next page begins, as the server said."),
    ("fieldSelector", "string", "Selects by fields."),
    ("labelSelector", "string", "Selects by labels."),
    ("limit", "integer", "At most so many objects in one answer."),
    ("resourceVersion", "string", "The version the answer must not be older than, or where a watch begins."),
    ("resourceVersionMatch", "string", "How resourceVersion is meant in a list: Exact or NotOlderThan."),
    ("sendInitialEvents", "boolean", "Begins a watch with the present objects, then a bookmark."),
    ("timeoutSeconds", "integer", "Ends the call after so many seconds."),
    ("watch", "boolean", "Sends changes as they happen instead of a list."),
)
DELETE = _parameters(
    ("gracePeriodSeconds", "integer", "Seconds until the object is deleted; 0 deletes at once."),
    ("orphanDependents", "boolean", "Deprecated: use propagationPolicy."),
    ("propagationPolicy", "string", "What becomes of dependents: Orphan, Background or Foreground."),
)
WRITE = PRETTY + DRY_RUN + FIELD_MANAGER


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    action: str                                 # x-kubernetes-action
    operation_id: str
    description: str
    kind: GroupVersionKind | None = None
    parameters: tuple[Parameter, ...] = ()
    body: str = ""                              # definition of the request's body
    body_required: bool = True
    consumes: tuple[str, ...] = ("*/*",)
    produces: tuple[str, ...] = MEDIA_TYPES
    responses: tuple[tuple[int, str], ...] = () # code -> definition


@dataclass(frozen=True, slots=True)
class Path:
    path: str
    tag: str
    operations: tuple[Operation, ...]
    path_parameters: tuple[Parameter, ...] = ()


def base_path(group_version: GroupVersion) -> str:
    """api/v1 or apis/apps/v1, as the v3 index names its documents."""
    return f"apis/{group_version}" if group_version.group else f"api/{group_version.version}"


def paths_of(group_version: GroupVersion, rows: Iterable[ResourceType]) -> list[Path]:
    """Every path of one group and version."""
    words = _Words(group_version)
    found = [Path(f"/{base_path(group_version)}/", words.tag, (Operation(
        "get", "", f"get{words.group}{words.version}APIResources", "get available resources", responses=((200, RESOURCE_LIST),)),))]
    for row in rows:
        if row.group_version == group_version:
            found += _Builder(row, words).paths()
    return found


class _Words:
    def __init__(self, group_version: GroupVersion) -> None:
        parts = (group_version.group or "core").removesuffix(".k8s.io").split(".")
        self.group = "".join(part.title() for part in parts)
        self.version = group_version.version.title()
        self.tag = f"{self.group[0].lower()}{self.group[1:]}_{group_version.version}"


class _Builder:
    """The paths of one resource."""

    def __init__(self, row: ResourceType, words: _Words) -> None:
        self.row = row
        self.words = words
        self.custom = row.custom is not None
        self.kind = model_name(*row.gvk) if self.custom else definition_name(row.gvk)
        self.list_kind = model_name(row.group, row.version, row.list_kind) if self.custom else self.kind + "List"
        self.scope = "Namespaced" if row.namespaced else ""
        collection = f"/{base_path(row.group_version)}"
        self.everywhere = f"{collection}/{row.plural}"
        self.collection = f"{collection}/namespaces/{{namespace}}/{row.plural}" if row.namespaced else self.everywhere
        namespace = _parameters(("namespace", "string", "The object's namespace."))
        self.collection_parameters = PRETTY + namespace if row.namespaced else PRETTY
        self.item_parameters = _parameters(("name", "string", f"Name of the {row.kind}.")) + self.collection_parameters

    def paths(self) -> Iterator[Path]:
        yield self._path(self.collection, self._collection_operations(), self.collection_parameters)
        if self.row.namespaced and "list" in self.row.verbs:
            across = self._list(f"{self._id('list')}{self.row.kind}ForAllNamespaces")
            yield self._path(self.everywhere, [across], PRETTY)
        if item := self._item_operations():
            yield self._path(self.collection + "/{name}", item, self.item_parameters)
        for name in self.row.subresources:
            path = f"{self.collection}/{{name}}/{name}"
            yield self._path(path, self._subresource_operations(name), self.item_parameters)

    def _path(self, path: str, operations: Iterable[Operation], parameters: tuple[Parameter, ...]) -> Path:
        return Path(path, self.words.tag, tuple(operations), parameters)

    def _id(self, verb: str) -> str:
        return f"{verb}{self.words.group}{self.words.version}"

    def _list(self, operation_id: str) -> Operation:
        return Operation("get", "list", operation_id, f"list or watch objects of kind {self.row.kind}", self.row.gvk, LIST,
                         produces=self._media(WATCH_TYPES), responses=((200, self.list_kind),))

    def _collection_operations(self) -> Iterator[Operation]:
        row, verbs = self.row, self.row.verbs
        if "list" in verbs:
            yield self._list(f"{self._id('list')}{self.scope}{row.kind}")
        if "create" in verbs:
            yield self._create(f"{self._id('create')}{self.scope}{row.kind}", f"create a {row.kind}", row.gvk)
        if "deletecollection" in verbs:
            yield Operation("delete", "deletecollection", f"{self._id('delete')}Collection{self.scope}{row.kind}",
                            f"delete collection of {row.kind}", row.gvk, DRY_RUN + LIST[1:8] + DELETE, body=DELETE_OPTIONS,
                            body_required=False, responses=((200, STATUS),))

    def _item_operations(self) -> list[Operation]:
        row = self.row
        operations = self._readable(self.scope + row.kind, row.gvk, row.verbs, f"the specified {row.kind}")
        if "delete" in row.verbs:
            operations.append(Operation("delete", "delete", f"{self._id('delete')}{self.scope}{row.kind}", f"delete a {row.kind}", row.gvk,
                                        DRY_RUN + DELETE, body=DELETE_OPTIONS, body_required=False,
                                        responses=((200, STATUS), (202, STATUS))))
        return operations

    def _subresource_operations(self, name: str) -> Iterator[Operation]:
        subresource = subresource_of(self.row, name)
        kind = subresource.kind or self.row.gvk
        what = f"{self.scope}{self.row.kind}{name.title()}"
        if kind.kind.endswith("Options"):
            for verb in subresource.verbs:
                method = {"create": "post", "update": "put"}.get(verb, verb)
                yield Operation(method, "connect", f"{self._id('connect')}{method.title()}{what}",
                                f"connect {method.upper()} requests to {name} of {self.row.kind}", kind, produces=("*/*",))
        elif "create" in subresource.verbs:
            yield self._create(f"{self._id('create')}{what}", f"create {name} of a {self.row.kind}", kind)
        else:
            yield from self._readable(what, kind, subresource.verbs, f"{name} of the specified {self.row.kind}")

    def _create(self, operation_id: str, description: str, kind: GroupVersionKind) -> Operation:
        name = self._definition(kind)
        return Operation("post", "post", operation_id, description, kind, WRITE[1:], body=name, produces=self._media(),
                         responses=((200, name), (201, name), (202, name)))

    def _definition(self, kind: GroupVersionKind) -> str:
        return self.kind if kind == self.row.gvk else definition_name(kind)

    def _media(self, types: tuple[str, ...] = MEDIA_TYPES) -> tuple[str, ...]:
        return MEDIA_TYPES[:2] if self.custom else types

    def _readable(self, what: str, kind: GroupVersionKind, verbs: tuple[str, ...], whose: str) -> list[Operation]:
        name, media = self._definition(kind), self._media()
        patches = CUSTOM_PATCH_TYPES if self.custom else PATCH_TYPES
        operations = []
        if "get" in verbs:
            operations.append(Operation("get", "get", f"{self._id('read')}{what}", f"read {whose}", kind, produces=media,
                                        responses=((200, name),)))
        if "update" in verbs:
            operations.append(Operation("put", "put", f"{self._id('replace')}{what}", f"replace {whose}", kind, WRITE[1:], body=name,
                                        produces=media, responses=((200, name), (201, name))))
        if "patch" in verbs:
            operations.append(Operation("patch", "patch", f"{self._id('patch')}{what}", f"partially update {whose}", kind,
                                        WRITE[1:] + FORCE, body=PATCH, consumes=patches, produces=media,
                                        responses=((200, name), (201, name))))
        return operations
