"""A custom kind as it is served: one Definition per CustomResourceDefinition, one Version per version of it.

What is costly (the schema's tree, the validator, the columns) is made when first needed: a cluster may hold hundreds of definitions, few
of them in use. A changed definition makes new ones; requests under way end with those they began with.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from control_plane.apiserver.custom import defaulting, embedded, list_types
from control_plane.apiserver.custom.pruning import prune
from control_plane.apiserver.custom.structural import Structural
from kube.apimachinery.custom_schema import CustomSchema
from kube.apimachinery.decode import Problems
from kube.apimachinery.errors import BadRequest
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.schema import schemas
from kube.apimachinery.scheme import GroupVersionKind, ResourceType, version_priority

if TYPE_CHECKING:
    from control_plane.apiserver.custom.conversion import WebhookConverter
    from control_plane.apiserver.custom.strategy import CustomResourceStrategy
    from control_plane.apiserver.custom.values import Node
    from control_plane.apiserver.dialing import Services


class Definition:
    """What all versions share. `crd` is the cached object: not to be changed."""

    def __init__(self, crd: JsonObject, services: Services | None = None) -> None:
        """`services`: how a conversion webhook is reached."""
        spec = crd["spec"]
        self._services = services
        self.crd = crd
        self.name: str = crd["metadata"]["name"]
        self.uid: str = crd["metadata"].get("uid", "")
        self.group: str = spec["group"]
        self.kind: str = spec["names"]["kind"]
        self.conversion: JsonObject = spec.get("conversion") or {"strategy": "None"}
        self.versions = {version["name"]: Version(self, version) for version in spec["versions"]}
        self.terminating = bool(crd["metadata"].get("deletionTimestamp"))

    def version_of(self, obj: JsonObject) -> Version | None:
        """None for an object in a version that the definition no longer has."""
        return self.versions.get(str(obj.get("apiVersion", "")).rpartition("/")[2])

    def from_store(self, obj: JsonObject) -> None:
        """An object as it was read: pruned and defaulted by the schema as it is now, in place."""
        if version := self.version_of(obj):
            version.coerce(obj)
            version.default(obj)

    @cached_property
    def converter(self) -> WebhookConverter | None:
        """None where versions differ in nothing but their name."""
        if self.conversion.get("strategy") != "Webhook" or self._services is None:
            return None
        from control_plane.apiserver.custom.conversion import WebhookConverter  # few definitions have one

        return WebhookConverter(self.conversion, self._services)

    async def convert(self, objects: Sequence[JsonObject], api_version: str) -> list[JsonObject]:
        """New objects in another version, pruned and defaulted there. Raises InternalError when a webhook fails."""
        assert self.converter is not None
        found = await self.converter.convert(objects, api_version, self.kind)
        for obj in found:
            self.from_store(obj)
        return found

    def converted(self, obj: JsonObject, api_version: str) -> JsonObject:
        """`obj` in another version, without asking anybody: a new object of which nothing is shared.

        Right for the strategy None. Where a webhook converts, what is read and written has been converted before (`prepare`); here
        it is only good enough for what looks at fields of metadata.
        """
        result: JsonObject = defaulting.copied(obj)
        result["apiVersion"] = api_version
        self.from_store(result)
        return result


class Version:
    def __init__(self, definition: Definition, spec: JsonObject) -> None:
        self.definition = definition
        self.spec = spec
        self.name: str = spec["name"]
        self._kind_schema: CustomSchema | None = None
        self._strategies: dict[ResourceType, CustomResourceStrategy] = {}

    @property
    def gvk(self) -> GroupVersionKind:
        return GroupVersionKind(self.definition.group, self.name, self.definition.kind)

    @property
    def raw_schema(self) -> JsonObject:
        return (self.spec.get("schema") or {}).get("openAPIV3Schema") or {}

    @cached_property
    def schema(self) -> Structural:
        return Structural(self.raw_schema)

    def kind_schema(self) -> CustomSchema:
        """For those who ask by kind; one as long as the definition stays."""
        if self._kind_schema is None:
            path = f"custom:{self.definition.group}/{self.name}.{self.definition.kind}"
            self._kind_schema = CustomSchema(self.raw_schema, schemas(), path, is_resource=True)
        return self._kind_schema

    @cached_property
    def validator(self) -> Node:
        from control_plane.apiserver.custom.values import Node

        return Node(self.schema)

    @cached_property
    def status_validator(self) -> Node | None:
        return self.validator.properties.get("status")

    @cached_property
    def has_embedded(self) -> bool:
        return embedded.has_embedded(self.schema)

    @cached_property
    def has_defaults(self) -> bool:
        return defaulting.has_defaults(self.schema)

    @cached_property
    def has_list_types(self) -> bool:
        return list_types.has_list_types(self.schema)

    @property
    def scale(self) -> JsonObject | None:
        """The paths of the scale subresource."""
        return (self.spec.get("subresources") or {}).get("scale")

    @cached_property
    def table(self) -> Any:
        from control_plane.apiserver.custom.columns import table_of

        return table_of(self.spec.get("additionalPrinterColumns") or ())

    @cached_property
    def deprecation(self) -> str:
        """The warning that goes with every answer; "" for a version that is not deprecated."""
        if not self.spec.get("deprecated"):
            return ""
        if text := self.spec.get("deprecationWarning"):
            return str(text)
        group, kind = self.definition.group, self.definition.kind
        better = [
            name for name, version in self.definition.versions.items()
            if version.spec.get("served") and not version.spec.get("deprecated") and version_priority(name) < version_priority(self.name)
        ]
        said = f"{group}/{self.name} {kind} is deprecated"
        return f"{said}; use {group}/{min(better, key=version_priority)} {kind}" if better else said

    @cached_property
    def rules(self) -> Any:
        """The compiled x-kubernetes-validations; None when there are none, and then no compiler is loaded."""
        if b"x-kubernetes-validations" not in msgspec.json.encode(self.raw_schema):
            return None
        from control_plane.apiserver.custom.rules import Rules

        return Rules.of(self.schema)

    @property
    def is_compiled(self) -> bool:
        """Whether the rules are, which may take a second."""
        return "rules" in self.__dict__

    def strategy(self, resource: ResourceType) -> CustomResourceStrategy:
        from control_plane.apiserver.custom.strategy import CustomResourceStrategy

        if (held := self._strategies.get(resource)) is None:
            held = self._strategies[resource] = CustomResourceStrategy(resource, self)
        return held

    def decode(self, obj: JsonObject) -> Problems:
        """A request's body: metadata in its form, unknown fields dropped and told. Raises BadRequest."""
        unknown: list[str] = []
        embedded.coerce_metadata(obj, unknown)
        fields: list[str] = []
        prune(obj, self.schema, fields)
        unknown += sorted(fields)
        defaulting.drop_nulls({key: value for key, value in obj.items() if key != "metadata"}, self.schema)
        self._drop_null_fields(obj)
        if self.has_embedded and (cause := embedded.coerce(obj, self.schema, unknown)):
            raise BadRequest(f"{cause.field}: {cause.message}")
        return Problems(unknown)

    def coerce(self, obj: JsonObject) -> None:
        """As `decode`, of what needs no telling: an object from the store, from a webhook, from a conversion."""
        prune(obj, self.schema)
        defaulting.drop_nulls({key: value for key, value in obj.items() if key != "metadata"}, self.schema)
        self._drop_null_fields(obj)

    def default(self, obj: JsonObject) -> None:
        if self.has_defaults:
            defaulting.fill(obj, self.schema)

    def _drop_null_fields(self, obj: JsonObject) -> None:
        for key in [key for key, value in obj.items() if value is None]:
            known = self.schema.properties.get(key)
            if known is not None and not known.nullable and not known.has_default:
                del obj[key]
