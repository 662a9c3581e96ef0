"""Whether a user may approve for a signer, or sign in its name: verbs on `signers`, which are names and no objects."""

from __future__ import annotations

from typing import Final

from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.attributes import Attributes
from control_plane.apiserver.authorization.authorizer import Authorizer
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.scheme import GroupResource

CERTIFICATE_REQUESTS: Final = GroupResource("certificates.k8s.io", "certificatesigningrequests")
POD_CERTIFICATE_REQUESTS: Final = GroupResource("certificates.k8s.io", "podcertificaterequests")


async def may_for_signer(authorizer: Authorizer, user: UserInfo, verb: str, signer: str) -> bool:
    """For this signer by name, or for DOMAIN/* all of its domain. `verb`: approve, sign."""
    for name in (signer, f"{signer.partition('/')[0]}/*"):
        asked = Attributes(user=user, verb=verb, group="certificates.k8s.io", version="*", resource="signers", name=name)
        if (await authorizer.decide(asked)).allowed:
            return True
    return False


def signer_of(request: JsonObject | None) -> str:
    return str(((request or {}).get("spec") or {}).get("signerName") or "")
