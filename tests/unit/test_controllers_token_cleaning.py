"""Bootstrap tokens that expire and sign, and service account tokens that nobody uses; over an in-memory apiserver."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

from control_plane.controllers.bootstrap_tokens import CLUSTER_INFO, BootstrapSigner, TokenCleaner, signature
from control_plane.controllers.legacy_token_cleaner import INVALID_SINCE, LAST_USED, TRACKING, LegacyTokenCleaner, secret_names
from control_plane.controllers.managed import ControllerContext
from kube.api.core_v1 import (
    ConfigMap,
    Container,
    EnvFromSource,
    LocalObjectReference,
    ObjectReference,
    Pod,
    PodSpec,
    Secret,
    SecretEnvSource,
    SecretVolumeSource,
    ServiceAccount,
    Volume,
)
from kube.api.meta_v1 import ObjectMeta
from kube.apimachinery.meta import NamespacedName
from kube.client.client import Client
from kube.process.clock import SystemClock, to_rfc3339
from tests.support.controllers import eventually, memory_client, running
from tests.support.memory_transport import MemoryTransport

NOW = datetime.now(UTC)
YEAR = timedelta(days=365)


def bootstrap_token(identity: str, *, expires: str = "", signs: bool = True) -> Secret:
    data = {"token-id": identity, "token-secret": "0123456789abcdef", "usage-bootstrap-signing": str(signs).lower()}
    if expires:
        data["expiration"] = expires
    return Secret(
        metadata=ObjectMeta(namespace="kube-system", name=f"bootstrap-token-{identity}"), type="bootstrap.kubernetes.io/token",
        data={key: base64.b64encode(value.encode()).decode() for key, value in data.items()})


async def secrets_left(client: Client) -> set[str]:
    return {secret.metadata.name.removeprefix("bootstrap-token-") for secret in await client.list(Secret)}


async def test_expired_bootstrap_tokens_are_deleted() -> None:
    client, _ = memory_client()
    await client.create(bootstrap_token("lastin"))
    await client.create(bootstrap_token("future", expires=to_rfc3339(NOW + timedelta(days=1))))
    await client.create(bootstrap_token("past00", expires=to_rfc3339(NOW - timedelta(hours=1))))
    await client.create(bootstrap_token("unread", expires="tomorrow"))
    await client.create(bootstrap_token("latest", expires="9999-12-31T23:59:59-01:00"))      # beyond the calendar in UTC
    await client.create(bootstrap_token("second", expires=to_rfc3339(NOW + timedelta(seconds=2))))
    async with running(client, TokenCleaner):

        async def gone() -> bool:
            return await secrets_left(client) == {"lastin", "future", "latest"}

        await eventually(gone, within_s=60, what="those whose time is over go")


def test_a_signature_is_that_of_upstream() -> None:
    """The vector of k8s.io/cluster-bootstrap/token/jws."""
    content = "Hello from the other side. I must have called a thousand times."
    assert signature(content, "joshua", "my voice is my passcode") == (
        "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8")


async def test_cluster_info_is_signed_by_the_tokens_that_may() -> None:
    client, _ = memory_client()
    key = NamespacedName("kube-system", "bootstrap-token-signer")
    await client.create(ConfigMap(
        metadata=ObjectMeta(namespace="kube-public", name="cluster-info"), data={"kubeconfig": "x", "jws-kubeconfig-formerly": "y"}))
    await client.create(bootstrap_token("signer"))
    await client.create(bootstrap_token("silent", signs=False))
    await client.create(bootstrap_token("oldest", expires="0001-01-01T00:00:00+01:00"))
    await client.create(bootstrap_token("past00", expires=to_rfc3339(NOW - timedelta(hours=1))))
    async with running(client, BootstrapSigner):

        async def signed(*names: str) -> bool:
            return (await client.get(ConfigMap, CLUSTER_INFO)).data == {
                "kubeconfig": "x", **{f"jws-kubeconfig-{name}": signature("x", name, "0123456789abcdef") for name in names}}

        await eventually(lambda: signed("signer"), what="signed by one")
        await client.delete(Secret, key)
        await eventually(signed, what="no longer signed")


def day(ago: timedelta) -> str:
    return (NOW - ago).strftime("%Y-%m-%d")


TOKENS: dict[str, dict[str, str]] = {
    "unused": {}, "mounted": {}, "by-hand": {}, "used": {LAST_USED: day(timedelta(days=3))}, "once": {LAST_USED: day(2 * YEAR)},
    "odd": {LAST_USED: "monday"}, "marked": {INVALID_SINCE: day(timedelta(days=3))}, "over": {INVALID_SINCE: day(YEAR + timedelta(days=2))},
}


async def with_account_tokens(client: Client, transport: MemoryTransport, since: timedelta) -> None:
    """Three years old, their use tracked for so long."""
    transport._now = lambda: NOW - 3 * YEAR
    await client.create(ConfigMap(metadata=ObjectMeta(namespace=TRACKING.namespace, name=TRACKING.name), data={"since": day(since)}))
    for name, labels in TOKENS.items():
        annotations = {"kubernetes.io/service-account.name": "builder"}
        await client.create(Secret(
            metadata=ObjectMeta(namespace="default", name=name, labels=labels, annotations=annotations),
            type="kubernetes.io/service-account-token"))
    named = tuple(ObjectReference(name=name) for name in TOKENS if name != "by-hand")
    await client.create(ServiceAccount(metadata=ObjectMeta(namespace="default", name="builder"), secrets=named))
    await client.create(Pod(
        metadata=ObjectMeta(namespace="default", name="p"),
        spec=PodSpec(volumes=(Volume(name="v", secret=SecretVolumeSource(secret_name="mounted")),))))


class Still(SystemClock):
    """No test is over midnight."""

    def now(self) -> datetime:
        return NOW


async def looked_through(client: Client) -> dict[str, str | None]:
    """One look at all of them; then since when each is invalid."""
    made: list[LegacyTokenCleaner] = []

    def cleaner(context: ControllerContext) -> LegacyTokenCleaner:
        made.append(LegacyTokenCleaner(context, YEAR))
        return made[0]

    async with running(client, cleaner, clock=Still()):
        await made[0].wait_synced()
        await made[0].reconcile("all")
    return {secret.metadata.name: secret.metadata.labels.get(INVALID_SINCE) for secret in await client.list(Secret, "default")}


async def test_unused_account_tokens_are_marked_and_a_year_later_deleted() -> None:
    client, transport = memory_client()
    await with_account_tokens(client, transport, since=3 * YEAR)

    assert await looked_through(client) == {
        "unused": day(timedelta()), "once": day(timedelta()), "marked": day(timedelta(days=3)), "used": None, "odd": None,
        "mounted": None, "by-hand": None,
    }


async def test_nothing_is_said_of_tokens_before_they_were_tracked_for_long_enough() -> None:
    client, transport = memory_client()
    await with_account_tokens(client, transport, since=YEAR)

    assert await looked_through(client) == {name: labels.get(INVALID_SINCE) for name, labels in TOKENS.items()}


def test_a_pod_mentions_secrets_in_many_places() -> None:
    env = Container(name="c", env_from=(EnvFromSource(secret_ref=SecretEnvSource(name="env")),))
    volume = Volume(name="v", secret=SecretVolumeSource(secret_name="volume"))
    spec = PodSpec(containers=(env,), volumes=(volume,), image_pull_secrets=(LocalObjectReference(name="pull"),))
    assert secret_names(Pod(spec=spec)) == {"env", "volume", "pull"}
