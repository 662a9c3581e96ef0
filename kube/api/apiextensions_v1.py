# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.meta_v1 import ObjectMeta


class CustomResourceColumnDefinition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    description: str = ""
    format: str = ""
    json_path: str = ""
    name: str = ""
    priority: int | None = None
    type: str = ""


class CustomResourceConversion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    strategy: str = ""
    webhook: WebhookConversion | None = None


class CustomResourceDefinitionSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    conversion: CustomResourceConversion | None = None
    group: str = ""
    names: CustomResourceDefinitionNames | None = None
    preserve_unknown_fields: bool | None = None
    scope: str = ""
    versions: tuple[CustomResourceDefinitionVersion, ...] = ()


class CustomResourceDefinitionStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    accepted_names: CustomResourceDefinitionNames | None = None
    conditions: tuple[CustomResourceDefinitionCondition, ...] = ()
    observed_generation: int | None = None
    stored_versions: tuple[str, ...] = ()


class CustomResourceDefinition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")

    api_version: str = msgspec.field(default_factory=lambda: "apiextensions.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "CustomResourceDefinition")
    metadata: ObjectMeta = ObjectMeta()
    spec: CustomResourceDefinitionSpec = CustomResourceDefinitionSpec()
    status: CustomResourceDefinitionStatus = CustomResourceDefinitionStatus()


class CustomResourceDefinitionCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_transition_time: str = ""
    message: str = ""
    observed_generation: int | None = None
    reason: str = ""
    status: str = ""
    type: str = ""


class CustomResourceDefinitionNames(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    categories: tuple[str, ...] = ()
    kind: str = ""
    list_kind: str = ""
    plural: str = ""
    short_names: tuple[str, ...] = ()
    singular: str = ""


class CustomResourceDefinitionVersion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    additional_printer_columns: tuple[CustomResourceColumnDefinition, ...] = ()
    deprecated: bool | None = None
    deprecation_warning: str = ""
    name: str = ""
    schema: CustomResourceValidation | None = None
    selectable_fields: tuple[SelectableField, ...] = ()
    served: bool | None = None
    storage: bool | None = None
    subresources: CustomResourceSubresources | None = None


class CustomResourceSubresourceScale(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    label_selector_path: str = ""
    spec_replicas_path: str = ""
    status_replicas_path: str = ""


class CustomResourceSubresources(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    scale: CustomResourceSubresourceScale | None = None
    status: Any = None


class CustomResourceValidation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    openapi_v3_schema: JSONSchemaProps | None = msgspec.field(default=None, name="openAPIV3Schema")


class ExternalDocumentation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    description: str = ""
    url: str = ""


class JSONSchemaProps(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    ref: str = msgspec.field(default="", name="$ref")
    schema: str = msgspec.field(default="", name="$schema")
    additional_items: Any = None
    additional_properties: Any = None
    all_of: tuple[JSONSchemaProps, ...] = ()
    any_of: tuple[JSONSchemaProps, ...] = ()
    default: Any = None
    definitions: dict[str, JSONSchemaProps] = {}
    dependencies: dict[str, Any] = {}
    description: str = ""
    enum: tuple[Any, ...] = ()
    example: Any = None
    exclusive_maximum: bool | None = None
    exclusive_minimum: bool | None = None
    external_docs: ExternalDocumentation | None = None
    format: str = ""
    id: str = ""
    items: Any = None
    max_items: int | None = None
    max_length: int | None = None
    max_properties: int | None = None
    maximum: float | None = None
    min_items: int | None = None
    min_length: int | None = None
    min_properties: int | None = None
    minimum: float | None = None
    multiple_of: float | None = None
    not_: JSONSchemaProps | None = None
    nullable: bool | None = None
    one_of: tuple[JSONSchemaProps, ...] = ()
    pattern: str = ""
    pattern_properties: dict[str, JSONSchemaProps] = {}
    properties: dict[str, JSONSchemaProps] = {}
    required: tuple[str, ...] = ()
    title: str = ""
    type: str = ""
    unique_items: bool | None = None
    x_kubernetes_embedded_resource: bool | None = msgspec.field(default=None, name="x-kubernetes-embedded-resource")
    x_kubernetes_int_or_string: bool | None = msgspec.field(default=None, name="x-kubernetes-int-or-string")
    x_kubernetes_list_map_keys: tuple[str, ...] = msgspec.field(default=(), name="x-kubernetes-list-map-keys")
    x_kubernetes_list_type: str = msgspec.field(default="", name="x-kubernetes-list-type")
    x_kubernetes_map_type: str = msgspec.field(default="", name="x-kubernetes-map-type")
    x_kubernetes_preserve_unknown_fields: bool | None = msgspec.field(default=None, name="x-kubernetes-preserve-unknown-fields")
    x_kubernetes_validations: tuple[ValidationRule, ...] = msgspec.field(default=(), name="x-kubernetes-validations")


class SelectableField(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    json_path: str = ""


class ServiceReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    path: str = ""
    port: int | None = None


class ValidationRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    field_path: str = ""
    message: str = ""
    message_expression: str = ""
    optional_old_self: bool | None = None
    reason: str = ""
    rule: str = ""


class WebhookClientConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    ca_bundle: str = ""
    service: ServiceReference | None = None
    url: str = ""


class WebhookConversion(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    client_config: WebhookClientConfig | None = None
    conversion_review_versions: tuple[str, ...] = ()
