"""A claim that names no class gets the default one."""

from __future__ import annotations

from control_plane.apiserver.admission.default_class import DefaultClass
from control_plane.apiserver.admission.lookup import CLAIMS
from kube.apimachinery.scheme import GroupResource


class DefaultStorageClass(DefaultClass):
    """Follows kube-apiserver's DefaultStorageClass."""

    name = "DefaultStorageClass"
    resources = frozenset({CLAIMS})
    classes = GroupResource("storage.k8s.io", "storageclasses")
    field = "storageClassName"
    former_annotation = "volume.beta.kubernetes.io/storage-class"
    default_annotations = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
