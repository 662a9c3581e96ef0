"""Imported by the zygote for its effect: decoders of the kinds that many components follow are built once, on pages that all share.

msgspec keeps what it found out about a type with the type. For a Pod that takes 5 ms and 1 MB, which each process would spend again.
"""

from __future__ import annotations

from kube.api.apps_v1 import Deployment, ReplicaSet
from kube.api.coordination_v1 import Lease
from kube.api.core_v1 import Namespace, Node, Pod, Service
from kube.api.discovery_v1 import EndpointSlice
from kube.client.objects import decoder_for

for _kind in (Deployment, EndpointSlice, Lease, Namespace, Node, Pod, ReplicaSet, Service):
    decoder_for(_kind)
