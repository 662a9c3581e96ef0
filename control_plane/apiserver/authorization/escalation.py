"""Nobody grants what they do not hold: the check on writes of RBAC objects."""

from __future__ import annotations

from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.authorizer import Authorizer
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import ResourceType


def check_escalation(
    authorizer: Authorizer, user: UserInfo, resource: ResourceType, obj: JsonObject, old: JsonObject | None
) -> None:
    """Call before a create or update of a Role, ClusterRole, RoleBinding or ClusterRoleBinding (no-op for others).

    Raises errors.Forbidden with upstream's words. Holders of the verbs `escalate` and `bind`, and system:masters, pass.
    """
    raise NotImplementedError
