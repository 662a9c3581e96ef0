"""SubjectAccessReview and its siblings: the spec of a review -> its status."""

from __future__ import annotations

from typing import Any

from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.authorizer import Authorizer


def review_access(authorizer: Authorizer, spec: dict[str, Any], *, user: UserInfo | None = None, namespace: str = "") -> dict[str, Any]:
    """The `status`. `user`: for SelfSubjectAccessReview; `namespace`: of a LocalSubjectAccessReview. Raises errors.Invalid, errors.BadRequest."""
    raise NotImplementedError
