"""Trust anchors of ClusterTrustBundles: one by name, or all of a signer with the labels. Follows pkg/kubelet/clustertrustbundle."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence

from kube.api.certificates_v1 import ClusterTrustBundle
from kube.api.core_v1 import ClusterTrustBundleProjection
from kube.apimachinery.labels import selector_from_label_selector
from node_agent.volumes.plugin import VolumeError

_BLOCK = re.compile(r"-----BEGIN [A-Z ]+-----\s*(.*?)-----END [A-Z ]+-----", re.DOTALL)


class TrustAnchors:
    """Their order is by chance, and stays until the kubelet is started again: nobody shall rely on it."""

    def __init__(self) -> None:
        self._salt = secrets.token_bytes(16)

    def select(self, projection: ClusterTrustBundleProjection, bundles: Iterable[ClusterTrustBundle]) -> bytes:
        """PEM, each anchor once. Raises VolumeError where nothing is found and the projection is not optional."""
        if projection.name:
            chosen = [bundle for bundle in bundles if bundle.metadata.name == projection.name]
            missing = f'while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io "{projection.name}" not found'
        elif projection.signer_name:
            chosen = [bundle for bundle in bundles if _selected(bundle, projection)]
            missing = "combination of signerName and labelSelector matched zero ClusterTrustBundles"
        else:
            raise VolumeError("ClusterTrustBundle projection requires either name or signerName to be set")
        if not chosen and not projection.optional:
            raise VolumeError(missing)
        return self._normalized(chosen)

    def _normalized(self, bundles: Sequence[ClusterTrustBundle]) -> bytes:
        anchors = {der for bundle in bundles for der in pem_blocks(bundle.spec.trust_bundle)}
        return b"".join(map(certificate_pem, sorted(anchors, key=lambda der: hashlib.sha256(self._salt + der).digest())))


def _selected(bundle: ClusterTrustBundle, projection: ClusterTrustBundleProjection) -> bool:
    """Without a selector nothing matches; an empty one matches all."""
    selector = projection.label_selector
    return (
        selector is not None and bundle.spec.signer_name == projection.signer_name
        and selector_from_label_selector(selector).matches(bundle.metadata.labels)
    )


def pem_blocks(text: str) -> Iterator[bytes]:
    """The contents of each block, whatever stands between them or in their headers."""
    for match in _BLOCK.finditer(text):
        lines = [line.strip() for line in match[1].splitlines()]
        yield base64.b64decode("".join(line for line in lines if ":" not in line))


def certificate_pem(der: bytes) -> bytes:
    text = base64.b64encode(der)
    lines = [text[start:start + 64] for start in range(0, len(text), 64)]
    return b"\n".join((b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""))
