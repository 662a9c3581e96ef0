"""An Ingress that names no class gets the default one."""

from __future__ import annotations

from control_plane.apiserver.admission.default_class import DefaultClass
from kube.apimachinery.scheme import GroupResource


class DefaultIngressClass(DefaultClass):
    """Follows kube-apiserver's DefaultIngressClass."""

    name = "DefaultIngressClass"
    resources = frozenset({GroupResource("networking.k8s.io", "ingresses")})
    classes = GroupResource("networking.k8s.io", "ingressclasses")
    field = "ingressClassName"
    former_annotation = "kubernetes.io/ingress.class"
    default_annotations = ("ingressclass.kubernetes.io/is-default-class",)
