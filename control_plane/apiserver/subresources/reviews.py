"""Reviews: questions that are asked by creating an object which nobody stores."""

from __future__ import annotations

from typing import Any

from control_plane.apiserver.authentication.authenticator import INVALID, Authenticator, aggregate
from control_plane.apiserver.authentication.token import InvalidToken
from control_plane.apiserver.authentication.user import UserInfo
from control_plane.apiserver.authorization.authorizer import Authorizer
from control_plane.apiserver.authorization.reviews import review_access
from control_plane.apiserver.registry.call import Call
from control_plane.apiserver.registry.options import WriteOptions
from kube.apimachinery.errors import BadRequest
from kube.apimachinery.meta import JsonObject
from kube.process.clock import Clock, to_rfc3339


class Reviews:
    def __init__(self, authenticator: Authenticator, authorizer: Authorizer, clock: Clock) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._clock = clock

    async def self_subject(self, call: Call, body: JsonObject, options: WriteOptions) -> JsonObject:
        return {
            **body,
            "metadata": {"creationTimestamp": to_rfc3339(self._clock.now())},
            "status": {"userInfo": user_object(call.user)},
        }

    async def subject_access(self, call: Call, body: JsonObject, options: WriteOptions) -> JsonObject:
        return self._reviewed(body, await review_access(self._authorizer, body.get("spec") or {}))

    async def local_subject_access(self, call: Call, body: JsonObject, options: WriteOptions) -> JsonObject:
        namespace = (body.get("metadata") or {}).get("namespace") or call.namespace
        if namespace != call.namespace:
            raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
        return self._reviewed(body, await review_access(self._authorizer, body.get("spec") or {}, namespace=call.namespace))

    async def self_subject_access(self, call: Call, body: JsonObject, options: WriteOptions) -> JsonObject:
        return self._reviewed(body, await review_access(self._authorizer, body.get("spec") or {}, user=call.user))

    async def self_subject_rules(self, call: Call, body: JsonObject, options: WriteOptions) -> JsonObject:
        namespace = (body.get("spec") or {}).get("namespace") or ""
        if not namespace:
            raise BadRequest("no namespace on request")
        return self._reviewed(body, self._authorizer.rules_for(call.user, namespace))

    async def token(self, call: Call, body: JsonObject, options: WriteOptions) -> JsonObject:
        spec = body.get("spec") or {}
        if not spec.get("token"):
            raise BadRequest("token is required for TokenReview in authentication")
        try:
            result = await self._authenticator.review_token(spec["token"], tuple(spec.get("audiences") or ()))
        except InvalidToken as error:
            return self._reviewed(body, {"user": {}, "error": aggregate((INVALID, str(error)))})
        status: dict[str, Any] = {"authenticated": True, "user": user_object(result.user)}
        if result.audiences:
            status["audiences"] = list(result.audiences)
        return self._reviewed(body, status)

    @staticmethod
    def _reviewed(body: JsonObject, status: dict[str, Any]) -> JsonObject:
        return {**body, "metadata": body.get("metadata") or {"creationTimestamp": None}, "status": status}


def user_object(user: UserInfo) -> dict[str, Any]:
    """authentication/v1 UserInfo."""
    obj: dict[str, Any] = {"username": user.name}
    if user.uid:
        obj["uid"] = user.uid
    if user.groups:
        obj["groups"] = list(user.groups)
    if user.extra:
        obj["extra"] = {key: list(values) for key, values in user.extra.items()}
    return obj
