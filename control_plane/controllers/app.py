"""The composition root of kube-controller-manager."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from control_plane.controllers.bootstrap_tokens import BootstrapSigner, TokenCleaner
from control_plane.controllers.certificates.approver import CertificateApprover
from control_plane.controllers.certificates.cleaner import CertificateCleaner
from control_plane.controllers.certificates.pod_request_cleaner import PodCertificateRequestCleaner
from control_plane.controllers.certificates.signer import CertificateSigner
from control_plane.controllers.cluster_role_aggregation import ClusterRoleAggregationController
from control_plane.controllers.config import ControllerManagerConfig
from control_plane.controllers.deployment.controller import DeploymentController
from control_plane.controllers.disruption.controller import DisruptionController
from control_plane.controllers.disruption.stale_targets import StaleDisruptionTargets
from control_plane.controllers.endpoint_slice.controller import EndpointSliceController
from control_plane.controllers.endpoint_slice.endpoints import EndpointsController
from control_plane.controllers.garbage_collector.controller import GarbageCollector
from control_plane.controllers.legacy_token_cleaner import LegacyTokenCleaner
from control_plane.controllers.managed import ControllerContext, ManagedController
from control_plane.controllers.namespace.controller import NamespaceController
from control_plane.controllers.node_ipam import NodeIpamController
from control_plane.controllers.node_lifecycle.controller import NodeLifecycleController
from control_plane.controllers.node_lifecycle.eviction import TaintEvictionController
from control_plane.controllers.pod_gc import PodGarbageCollector
from control_plane.controllers.policy_status.controller import PolicyStatusController
from control_plane.controllers.replicaset.controller import ReplicaSetController, ReplicationControllerController
from control_plane.controllers.resource_quota.controller import ResourceQuotaController
from control_plane.controllers.root_ca import RootCaPublisher
from control_plane.controllers.service_account import ServiceAccountController
from control_plane.controllers.service_account_tokens import TokensController
from control_plane.controllers.storage_protection import AttributesProtection, ClaimProtection, VolumeProtection
from control_plane.controllers.storage_version_migration import StorageVersionMigrator
from control_plane.controllers.trust_bundle_publisher import TrustBundlePublisher
from control_plane.controllers.volume.attach import AttachDetachController
from control_plane.controllers.volume.binder import PersistentVolumeBinder
from control_plane.controllers.volume.csi.attacher import CsiAttacher
from control_plane.controllers.volume.csi.driver import CsiDriver
from control_plane.controllers.volume.csi.provisioner import CsiProvisioner
from control_plane.controllers.volume.csi.resizer import CsiResizer
from control_plane.controllers.volume.ephemeral import EphemeralVolumeController
from control_plane.controllers.volume.expand import VolumeExpandController
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.client.delegated_auth import DelegatedAuth
from kube.client.events import EventRecorder
from kube.client.grpc_transport import GrpcTransport
from kube.client.informer import InformerFactory
from kube.client.leader_election import LeaderElector, lead_until
from kube.process.clock import SystemClock
from kube.process.health import serve_health
from kube.process.lifetime import run_process
from kube.process.tls import server_context

NAME: Final = "kube-controller-manager"
LEASE: Final = NamespacedName("kube-system", NAME)


def controllers(context: ControllerContext, config: ControllerManagerConfig, driver: CsiDriver | None) -> list[ManagedController[Any]]:
    """In the order in which a starting cluster needs them. `driver`: the cluster's own, if it has one."""
    signing = config.cluster_signing_cert_file, config.cluster_signing_key_file
    root_ca = Path(config.root_ca_file).read_text()
    longest = timedelta(seconds=config.cluster_signing_duration_s)
    return [
        CertificateApprover(context),
        *([CertificateSigner(context, *signing, longest)] if all(signing) else []),
        NodeIpamController(context, config.cluster_cidr, config.node_cidr_mask_size),
        ServiceAccountController(context),
        RootCaPublisher(context, root_ca),
        TrustBundlePublisher(context, root_ca),
        *([TokensController(context, key, root_ca)] if (key := config.service_account_private_key_file) else []),
        ClusterRoleAggregationController(context),
        ReplicaSetController(context),
        ReplicationControllerController(context),
        DeploymentController(context),
        EndpointSliceController(context),
        EndpointsController(context),
        NodeLifecycleController(
            context, grace_s=config.node_monitor_grace_period_s, startup_grace_s=config.node_startup_grace_period_s),
        TaintEvictionController(context),
        NamespaceController(context),
        ResourceQuotaController(context, config.resource_quota_sync_period_s),
        DisruptionController(context),
        StaleDisruptionTargets(context),
        PersistentVolumeBinder(context),
        EphemeralVolumeController(context),
        AttachDetachController(context),
        VolumeExpandController(context),
        *(() if driver is None else (CsiProvisioner(context, driver), CsiAttacher(context, driver), CsiResizer(context, driver))),
        ClaimProtection(context),
        VolumeProtection(context),
        AttributesProtection(context),
        PodGarbageCollector(context, config.terminated_pod_gc_threshold),
        GarbageCollector(context),
        CertificateCleaner(context),
        PodCertificateRequestCleaner(context),
        StorageVersionMigrator(context),
        PolicyStatusController(context),
        TokenCleaner(context),
        BootstrapSigner(context),
        LegacyTokenCleaner(context, timedelta(seconds=config.legacy_service_account_token_clean_up_period_s)),
    ]


def own_driver(config: ControllerManagerConfig) -> CsiDriver:
    return CsiDriver(Path(config.block_volumes_dir), Path(config.csi_socket))


async def run(config: ControllerManagerConfig, stop: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(GrpcTransport(config.apiserver), field_manager=NAME))
        events = await stack.enter_async_context(EventRecorder(client, NAME))
        tls = server_context(config.serving_tls) if config.serving_tls else None
        await stack.enter_async_context(serve_health(config.health_port, tls=tls, guard=DelegatedAuth(client).check))

        async def lead() -> None:
            async with InformerFactory(client) as informers, AsyncExitStack() as drivers:
                driver = await drivers.enter_async_context(own_driver(config)) if config.block_volumes_dir else None
                context = ControllerContext(client, informers, events, SystemClock(), config.concurrent_syncs)
                running = controllers(context, config, driver)
                await informers.start()
                async with asyncio.TaskGroup() as tasks:
                    for controller in running:
                        tasks.create_task(controller.run(), name=controller.name)

        await lead_until(stop, lead, LeaderElector(client, LEASE, config.identity) if config.leader_elect else None)


def main(argv: Sequence[str] | None = None) -> int:
    return run_process(NAME, ControllerManagerConfig, run, argv)
