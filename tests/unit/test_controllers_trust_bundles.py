"""The bundle that says whom to trust as the apiserver: always there, always right, alone."""

from __future__ import annotations

from control_plane.controllers.managed import ControllerContext
from control_plane.controllers.trust_bundle_publisher import PREFIX, SIGNER, TrustBundlePublisher
from kube.api.certificates_v1 import ClusterTrustBundle, ClusterTrustBundleSpec
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from tests.support.controllers import eventually, running
from tests.support.memory_transport import MemoryTransport


def publisher(context: ControllerContext) -> TrustBundlePublisher:
    return TrustBundlePublisher(context, "new CA")


async def test_one_bundle_with_todays_ca() -> None:
    client = Client(MemoryTransport())
    spec = ClusterTrustBundleSpec(signer_name=SIGNER, trust_bundle="old CA")
    await client.create(ClusterTrustBundle(metadata=ObjectMeta(name=PREFIX + "old"), spec=spec))

    async def bundles() -> dict[str, str]:
        return {bundle.metadata.name: bundle.spec.trust_bundle for bundle in (await client.list(ClusterTrustBundle)).items}

    async def right() -> bool:
        found = await bundles()
        return list(found.values()) == ["new CA"] and all(name.startswith(PREFIX) and len(name) == len(PREFIX) + 24 for name in found)

    async with running(client, publisher):
        await eventually(right)
        (name,) = await bundles()
        await client.patch(ClusterTrustBundle, NamespacedName("", name), {"spec": {"trustBundle": "forged"}})
        await eventually(right)
        await client.delete(ClusterTrustBundle, NamespacedName("", name))
        await eventually(right)
