"""Publishes who signs the apiserver's certificate as a ClusterTrustBundle, for projected volumes of any namespace.

Its name ends with what its contents hash to, so a new CA gets a new object and the old one goes. Follows upstream's
kube-apiserver-serving-clustertrustbundle-publisher-controller.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Final

from msgspec.structs import replace

from control_plane.controllers.managed import ControllerContext, ManagedController
from kube.api.certificates_v1 import ClusterTrustBundle, ClusterTrustBundleSpec
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery import errors
from kube.apimachinery.meta import NamespacedName
from kube.client.controller import DONE, Result

SIGNER: Final = "kubernetes.io/kube-apiserver-serving"
PREFIX: Final = SIGNER.replace("/", ":") + ":"


class TrustBundlePublisher(ManagedController[NamespacedName]):
    """Keys are names of bundles: the own, and those that are there instead of it."""

    def __init__(self, context: ControllerContext, root_ca: str) -> None:
        super().__init__("kube-apiserver-serving-clustertrustbundle-publisher", context, workers=1)
        self._root_ca = root_ca
        self._own = NamespacedName("", PREFIX + hashlib.sha256(root_ca.encode()).hexdigest()[:24])
        self._bundles = self.informer(ClusterTrustBundle, field_selector=f"spec.signerName={SIGNER}")
        self._bundles.on_change(lambda bundle: self.queue.add(NamespacedName("", bundle.metadata.name)))
        self.queue.add(self._own)

    async def reconcile(self, key: NamespacedName) -> Result:
        held = self._bundles.get(key)
        if key != self._own:
            if held is not None:
                with suppress(errors.NotFound):
                    await self.client.delete(ClusterTrustBundle, key)
            return DONE
        spec = ClusterTrustBundleSpec(signer_name=SIGNER, trust_bundle=self._root_ca)
        with suppress(errors.AlreadyExists):
            if held is None:
                await self.client.create(ClusterTrustBundle(metadata=ObjectMeta(name=key.name), spec=spec))
            elif held.spec.trust_bundle != self._root_ca:
                await self.client.update(replace(held, spec=spec))
        return DONE
