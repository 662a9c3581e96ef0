"""Eviction thresholds: "memory.available": "100Mi" or "10%", hard or with a grace period. Follows pkg/kubelet/eviction/helpers.go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kube.apimachinery.quantity import Quantity, QuantityError
from kube.process.config import ConfigError

MEMORY, NODE_FS, NODE_INODES, PIDS = "memory.available", "nodefs.available", "nodefs.inodesFree", "pid.available"
IMAGE_FS, IMAGE_INODES = "imagefs.available", "imagefs.inodesFree"
CONDITIONS: Final = {
    MEMORY: "MemoryPressure", PIDS: "PIDPressure", NODE_FS: "DiskPressure", NODE_INODES: "DiskPressure", IMAGE_FS: "DiskPressure",
    IMAGE_INODES: "DiskPressure",
}
RESOURCES: Final = {
    MEMORY: "memory", PIDS: "pids", NODE_FS: "ephemeral-storage", NODE_INODES: "inodes", IMAGE_FS: "ephemeral-storage",
    IMAGE_INODES: "inodes",
}
UPSTREAM: Final = {MEMORY: "100Mi", NODE_FS: "10%", NODE_INODES: "5%", IMAGE_FS: "15%", IMAGE_INODES: "5%"}
# A disk that a node shares with its machine may be nearly full for years, by what is no node's. Only when hardly anything is left ...
SHARED: Final = {NODE_FS: "256Mi", NODE_INODES: "1%", IMAGE_FS: "256Mi", IMAGE_INODES: "1%"}


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity, or a part of what there is."""

    quantity: int = 0
    share: float | None = None

    def of(self, capacity: int) -> int:
        return self.quantity if self.share is None else int(capacity * self.share)

    @property
    def is_zero(self) -> bool:
        return not self.quantity and not self.share


@dataclass(frozen=True, slots=True)
class Threshold:
    signal: str
    value: Amount
    grace_s: float = 0.0            # 0: hard
    minimum_reclaim: Amount = Amount()

    @property
    def hard(self) -> bool:
        return self.grace_s == 0


def default_hard(*, own_disk: bool) -> dict[str, str]:
    """`own_disk`: the node has a budget of its own on the disk. Images are the machine's in any case."""
    if own_disk:
        return {**UPSTREAM, IMAGE_FS: SHARED[IMAGE_FS], IMAGE_INODES: SHARED[IMAGE_INODES]}
    return {**UPSTREAM, **SHARED}


def parse_thresholds(
    hard: Mapping[str, str], soft: Mapping[str, str], soft_grace_s: Mapping[str, float], minimum_reclaim: Mapping[str, str],
) -> tuple[Threshold, ...]:
    """Those of 0 and 0% are none. Raises ConfigError."""
    for signal in soft:
        if soft_grace_s.get(signal, 0) <= 0:
            raise ConfigError(f"eviction_soft_grace_period: grace period must be specified for the soft eviction threshold {signal}")
    for signal in soft_grace_s:
        if signal not in soft:
            raise ConfigError(f"eviction_soft_grace_period: {signal} has no soft eviction threshold")
    reclaim = {signal: _amount("eviction_minimum_reclaim", signal, text) for signal, text in minimum_reclaim.items()}
    found = []
    for key, texts in (("eviction_hard", hard), ("eviction_soft", soft)):
        for signal, text in texts.items():
            value = _amount(key, signal, text)
            if not value.is_zero:
                grace_s = soft_grace_s[signal] if key == "eviction_soft" else 0.0
                found.append(Threshold(signal, value, grace_s, reclaim.get(signal, Amount())))
    return tuple(found)


def _amount(key: str, signal: str, text: str) -> Amount:
    if signal not in CONDITIONS:
        raise ConfigError(f"{key}: unsupported eviction signal {signal}; there are: {', '.join(sorted(CONDITIONS))}")
    try:
        if text.endswith("%"):
            share = float(text[:-1]) / 100
            if not 0 <= share <= 1:
                raise ConfigError(f"{key}.{signal}: must be between 0% and 100%, got {text}")
            return Amount(share=share)
        quantity = Quantity.parse(text).value()
    except (QuantityError, ValueError) as error:
        raise ConfigError(f"{key}.{signal}: must be a quantity or a percentage, got {text!r}") from error
    if quantity < 0:
        raise ConfigError(f"{key}.{signal}: must not be negative, got {text}")
    return Amount(quantity)
