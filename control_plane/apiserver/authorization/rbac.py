"""Role-based access control: allowed is what a role says that a binding gives to the user. Follows upstream's RBACAuthorizer."""

from __future__ import annotations

from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.attributes import Attributes, Decision
from control_plane.apiserver.authorization.rbac_index import RBAC_GROUP, RbacIndex
from control_plane.apiserver.authorization.rules import Rule


class RbacAuthorizer:
    def __init__(self, index: RbacIndex) -> None:
        self._index = index

    def authorize(self, attributes: Attributes) -> Decision:
        missing: list[str] = []
        for grant in self._index.grants_of(attributes.user, attributes.namespace):
            rules = self._index.rules_of(grant)
            if rules is None:
                missing.append(f'{grant.role_kind.lower()}.{RBAC_GROUP} "{grant.role}" not found')
            elif any(rule.allows(attributes) for rule in rules):
                return Decision(allowed=True, reason=f"RBAC: allowed by {grant.describe()}")
        error = _aggregate(list(dict.fromkeys(missing)))
        return Decision(allowed=False, reason=f"RBAC: {error}" if error else "", error=error)

    def rules_for(self, user: UserInfo, namespace: str) -> list[Rule]:
        return [rule for grant in self._index.grants_of(user, namespace) for rule in self._index.rules_of(grant) or ()]


def _aggregate(errors: list[str]) -> str:
    return errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]" if errors else ""
