"""What lets machines join: cluster-info, a bootstrap token's Secret, and the rights of those who hold it. As `kubeadm init` makes them."""

from __future__ import annotations

import base64
import secrets
import string
from pathlib import Path
from typing import Any, Final

import yaml

TOKEN_GROUP: Final = "system:bootstrappers:kubonsai:default-node-token"     # noqa: S105  (a group, not a secret)
_SIGNING: Final = "system:certificates.k8s.io:certificatesigningrequests"
_ALPHABET: Final = string.ascii_lowercase + string.digits


def new_token() -> str:
    """ID.SECRET, as in `kubeadm join --token`."""
    return f"{_letters(6)}.{_letters(16)}"


def bootstrap_objects(token: str) -> list[dict[str, Any]]:
    """In the order in which they are to be applied: the Secret last, so that nobody logs in before his rights are there."""
    return [
        _binding("kubonsai:kubelet-bootstrap", "system:node-bootstrapper", TOKEN_GROUP),
        _binding("kubonsai:node-autoapprove-bootstrap", f"{_SIGNING}:nodeclient", TOKEN_GROUP),
        _binding("kubonsai:node-autoapprove-certificate-rotation", f"{_SIGNING}:selfnodeclient", "system:nodes"),
        _secret(token),
    ]


def cluster_info(server: str, ca_file: str | Path) -> list[dict[str, Any]]:
    """ConfigMap kube-public/cluster-info, which anybody may read: where the cluster is, and its CA. The bootstrap signer signs it."""
    name, namespace, api_group = "kubonsai:cluster-info", "kube-public", "rbac.authorization.k8s.io"
    authority = base64.b64encode(Path(ca_file).read_bytes()).decode()
    kubeconfig: dict[str, Any] = {
        "apiVersion": "v1", "clusters": [{"cluster": {"certificate-authority-data": authority, "server": server}, "name": ""}],
        "contexts": None, "current-context": "", "kind": "Config", "preferences": {}, "users": None,
    }
    return [
        {
            "apiVersion": f"{api_group}/v1", "kind": "Role", "metadata": {"name": name, "namespace": namespace},
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["cluster-info"], "verbs": ["get"]}],
        },
        {
            "apiVersion": f"{api_group}/v1", "kind": "RoleBinding", "metadata": {"name": name, "namespace": namespace},
            "roleRef": {"apiGroup": api_group, "kind": "Role", "name": name},
            "subjects": [{"apiGroup": api_group, "kind": "User", "name": "system:anonymous"}],
        },
        {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cluster-info", "namespace": namespace},
            "data": {"kubeconfig": yaml.safe_dump(kubeconfig)},
        },
    ]


def _letters(count: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(count))


def _binding(name: str, role: str, group: str) -> dict[str, Any]:
    api_group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{api_group}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": api_group, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": api_group, "kind": "Group", "name": group}],
    }


def _secret(token: str) -> dict[str, Any]:
    identity, _, secret = token.partition(".")
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"bootstrap-token-{identity}", "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
        "stringData": {
            "token-id": identity, "token-secret": secret, "usage-bootstrap-authentication": "true", "usage-bootstrap-signing": "true",
            "auth-extra-groups": TOKEN_GROUP, "description": "Lets machines of this cluster join.",
        },
    }
