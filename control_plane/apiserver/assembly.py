"""Puts the apiserver's parts together: everything between storage and the two doors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from prometheus_client import CollectorRegistry

from control_plane.apiserver.admission.chain import AdmissionChain
from control_plane.apiserver.admission.configuration import load_configuration
from control_plane.apiserver.admission.plugin import AdmissionContext
from control_plane.apiserver.admission.webhooks.metrics import WebhookMetrics
from control_plane.apiserver.aggregation.aggregator import Aggregator
from control_plane.apiserver.allocation.cluster_ips import ClusterIps
from control_plane.apiserver.allocation.node_ports import NodePorts
from control_plane.apiserver.allocation.repair import Repair
from control_plane.apiserver.allocation.services import ServiceAllocator
from control_plane.apiserver.authentication.setup import identity
from control_plane.apiserver.authentication.token import TokenAuthority
from control_plane.apiserver.authentication.user import APISERVER_USER
from control_plane.apiserver.authorization.authorizer import Authorizer
from control_plane.apiserver.config import ApiserverConfig
from control_plane.apiserver.custom.lifecycle import Lifecycle
from control_plane.apiserver.custom.serving import CustomResources
from control_plane.apiserver.dialing import Services
from control_plane.apiserver.discovery.index import DiscoveryIndex
from control_plane.apiserver.flow.control import FlowControl
from control_plane.apiserver.grpc_door.elsewhere import AggregatingObjectService
from control_plane.apiserver.grpc_door.service import ObjectService
from control_plane.apiserver.http_door.handler import Handler
from control_plane.apiserver.http_door.paths import HealthChecks, Paths
from control_plane.apiserver.http_door.resources import Resources
from control_plane.apiserver.object_api import Creator, CreatorKey, ObjectApi
from control_plane.apiserver.observers import RequestMetrics, process_registry
from control_plane.apiserver.pipeline import Pipeline
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.compare_and_swap import CompareAndSwap
from control_plane.apiserver.registry.deleter import Deleter
from control_plane.apiserver.registry.governing import Governing
from control_plane.apiserver.registry.hooks import WriteHook
from control_plane.apiserver.registry.legacy_tokens import LegacyTokenUse
from control_plane.apiserver.registry.options import WriteOptions
from control_plane.apiserver.registry.reader import Reader
from control_plane.apiserver.registry.watching import Watching
from control_plane.apiserver.registry.writer import Writer
from control_plane.apiserver.reloading import Reload, Reloading
from control_plane.apiserver.streaming.connect import Connector
from control_plane.apiserver.streaming.nodes import NodeConnections
from control_plane.apiserver.streaming.proxy.connector import ProxyConnector
from control_plane.apiserver.streaming.proxy.location import Locations
from control_plane.apiserver.subresources.binding import Bindings
from control_plane.apiserver.subresources.eviction import Evictions
from control_plane.apiserver.subresources.reviews import Reviews
from control_plane.apiserver.subresources.scale import Scales
from control_plane.apiserver.subresources.tokens import TokenRequests
from control_plane.storage.etcd import EtcdStore
from control_plane.storage.watch_cache import WatchCache
from kube.apimachinery.meta import JsonObject, NamespacedName
from kube.apimachinery.resources import SCHEME
from kube.apimachinery.scheme import GroupResource, GroupVersionKind
from kube.process.clock import Clock

if TYPE_CHECKING:
    from control_plane.apiserver.audit.log import AuditLog


@dataclass(frozen=True, slots=True)
class Apiserver:
    """What the composition root starts and stops."""

    api: ObjectApi
    ips: ClusterIps
    repair: Repair
    http: Handler
    grpc: ObjectService
    custom: CustomResources
    lifecycle: Lifecycle
    legacy_tokens: LegacyTokenUse
    aggregator: Aggregator
    reloading: Reloading


def assemble(
    config: ApiserverConfig, store: EtcdStore, cache: WatchCache, authorizer: Authorizer, nodes: NodeConnections,
    checks: HealthChecks, clock: Clock,
) -> Apiserver:
    """Raises ConfigError."""
    tokens, authenticator, authorities, read_authentication = identity(config, cache, clock)
    metrics = process_registry()
    admission_context = AdmissionContext(
        cache, SCHEME, authorizer, webhook_metrics=WebhookMetrics(metrics), store=store,
        configuration=load_configuration(config.admission_control_config_file),
        not_ready_toleration_s=config.default_not_ready_toleration_seconds,
        unreachable_toleration_s=config.default_unreachable_toleration_seconds, registry=metrics,
    )
    admission = AdmissionChain(
        admission_context, enable=config.enable_admission_plugins, disable=config.disable_admission_plugins
    )
    ips = ClusterIps(store, cache, clock, config.service_cluster_ip_range)
    node_ports = NodePorts(store, *config.service_node_port_range)
    hooks: dict[GroupResource, WriteHook] = {GroupResource("", "services"): ServiceAllocator(ips, node_ports)}
    reader, swap = Reader(store, cache), CompareAndSwap(store, cache)
    writer = Writer(store, swap, admission, authorizer, hooks, clock, event_ttl_s=config.event_ttl_s)
    admission_context.later.create = partial(_create_own, writer)
    legacy_tokens = LegacyTokenUse(writer, clock)
    authenticator.accounts.on_legacy_use = legacy_tokens.used
    deleter = Deleter(store, swap, reader, admission, hooks, clock)
    creators = _creators(
        Reviews(authenticator, authorizer, clock), Bindings(writer, admission, clock), Evictions(reader, writer, deleter, admission, clock),
        TokenRequests(reader, admission, tokens, clock),
    )
    watching = Watching(cache, min_timeout_s=config.min_request_timeout_s, bookmark_interval_s=config.bookmark_interval_s)
    api = ObjectApi(SCHEME, reader, watching, writer, deleter, Scales(reader, writer), creators, Governing(cache))
    flow = FlowControl(config.max_requests_inflight, config.max_mutating_requests_inflight)
    flow.attach(cache, SCHEME)
    pipeline = Pipeline(authenticator, authorizer, flow, [RequestMetrics(metrics, flow)])
    aggregator = Aggregator(store, cache, swap, writer, deleter, SCHEME, config.front_proxy, clock)
    paths = _paths(config, checks, metrics, tokens, aggregator)
    proxy = ProxyConnector(Locations(reader, cache, Services(cache), config.kubelet_client_tls))
    connector = Connector(reader, admission, authorizer, nodes, proxy)
    resources = Resources(api, connector, clock)
    custom = CustomResources(cache, SCHEME, Services(cache))
    lifecycle = Lifecycle(store, cache, swap, deleter, custom, SCHEME, clock)
    audit = _audit(config, clock)
    http = Handler(pipeline, resources, paths, authorities, aggregator, audit)
    return Apiserver(
        api, ips, Repair(cache, ips, node_ports, clock), http, AggregatingObjectService(pipeline, api, aggregator, audit),
        custom, lifecycle, legacy_tokens, aggregator, Reloading(_reloads(config, read_authentication, authorizer, store)),
    )


async def _create_own(writer: Writer, obj: JsonObject) -> None:
    """As this apiserver. Raises ApiError."""
    resource = SCHEME.for_kind(GroupVersionKind.of(obj["apiVersion"], obj["kind"]))
    assert resource is not None
    call = Call(APISERVER_USER, "create", resource, NamespacedName.of(obj).namespace)
    await writer.create(call, obj, WriteOptions(field_manager="kube-apiserver"))


def _audit(config: ApiserverConfig, clock: Clock) -> AuditLog | None:
    """None, as upstream, without a policy or without a place to write to."""
    if not config.audit_policy_file or not config.audit_log_path:
        return None
    from control_plane.apiserver.audit import log, policy  # few clusters have one

    return log.AuditLog(policy.read_policy(config.audit_policy_file), config.audit_log_path, clock)


def _reloads(
    config: ApiserverConfig, read_authentication: Callable[[], None], authorizer: Authorizer, store: EtcdStore
) -> list[Reload]:
    reloads = []
    if config.authentication_config:
        reloads.append(Reload(config.authentication_config, read_authentication))
    if config.authorization_config:
        reloads.append(Reload(config.authorization_config, authorizer.read))
    if config.encryption_provider_config and config.encryption_provider_config_automatic_reload:
        reloads.append(Reload(config.encryption_provider_config, store.read_encryption))
    return reloads


def _paths(
    config: ApiserverConfig, checks: HealthChecks, metrics: CollectorRegistry, tokens: TokenAuthority, aggregator: Aggregator,
) -> Paths:
    address = f"{config.advertise_address}:{config.secure_port}"
    issuer = tokens.discovery_document(config.service_account_jwks_uri or f"https://{address}/openid/v1/jwks")
    openid = {
        "/.well-known/openid-configuration": lambda: msgspec.json.encode(issuer),
        "/openid/v1/jwks": lambda: msgspec.json.encode(tokens.jwks()),
    }
    return Paths(DiscoveryIndex(SCHEME, address, aggregator.targets), checks, metrics, openid, aggregator)


def _creators(
    reviews: Reviews, bindings: Bindings, evictions: Evictions, token_requests: TokenRequests
) -> Mapping[CreatorKey, Creator]:
    """What is created but not stored."""
    authentication, authorization = "authentication.k8s.io", "authorization.k8s.io"
    return {
        ("", "bindings", ""): bindings.create,
        ("", "pods", "binding"): bindings.create,
        ("", "pods", "eviction"): evictions.create,
        ("", "serviceaccounts", "token"): token_requests.create,
        (authentication, "tokenreviews", ""): reviews.token,
        (authentication, "selfsubjectreviews", ""): reviews.self_subject,
        (authorization, "subjectaccessreviews", ""): reviews.subject_access,
        (authorization, "localsubjectaccessreviews", ""): reviews.local_subject_access,
        (authorization, "selfsubjectaccessreviews", ""): reviews.self_subject_access,
        (authorization, "selfsubjectrulesreviews", ""): reviews.self_subject_rules,
    }
