"""Labels of a namespace -> the levels that its Pods are held to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from kube.apimachinery.errors import Cause
from kube.apimachinery.validation import invalid

PREFIX: Final = "pod-security.kubernetes.io/"
PRIVILEGED: Final = "privileged"
BASELINE: Final = "baseline"
RESTRICTED: Final = "restricted"
LEVELS: Final = (PRIVILEGED, BASELINE, RESTRICTED)      # from the laxest to the strictest
LATEST: Final = 10_000                                  # newer than any minor version

_VERSION: Final = re.compile(r"v1\.([0-9]|[1-9][0-9]*)")


class LevelVersion(NamedTuple):
    """`minor` is of v1, or LATEST. Prints as "restricted:latest", "baseline:v1.30"."""

    level: str
    minor: int

    def __str__(self) -> str:
        return f"{self.level}:{'latest' if self.minor == LATEST else f'v1.{self.minor}'}"

    @property
    def strictness(self) -> int:
        return LEVELS.index(self.level)

    def is_equivalent(self, other: LevelVersion) -> bool:
        return self == other or (self.level == other.level == PRIVILEGED)


class Policy(NamedTuple):
    enforce: LevelVersion
    audit: LevelVersion
    warn: LevelVersion

    @property
    def is_privileged(self) -> bool:
        return all(part.level == PRIVILEGED for part in self)

    def is_equivalent(self, other: Policy) -> bool:
        return all(mine.is_equivalent(theirs) for mine, theirs in zip(self, other, strict=True))


ALL_PRIVILEGED: Final = Policy(*[LevelVersion(PRIVILEGED, LATEST)] * 3)


def parse_level(text: str) -> str | None:
    return text if text in LEVELS else None


def parse_version(text: str) -> int | None:
    if text == "latest":
        return LATEST
    found = _VERSION.fullmatch(text)
    return min(int(found[1]), LATEST - 1) if found else None


def policy_of(labels: Mapping[str, str] | None, defaults: Policy) -> tuple[Policy, list[Cause]]:
    """A wrong enforce label means restricted; wrong ones of audit and warn mean nothing. The warn level is at least the enforced one."""
    causes: list[Cause] = []
    if not labels:
        return defaults, causes
    parts: dict[str, LevelVersion] = {}
    enforced = False
    for mode, default in zip(Policy._fields, defaults, strict=True):
        level, minor = default
        if (text := labels.get(PREFIX + mode)) is not None:
            parsed = parse_level(text)
            if parsed is None:
                causes.append(_wrong(mode, text, f"must be one of {', '.join(LEVELS)}"))
            level = parsed or (RESTRICTED if mode == "enforce" else PRIVILEGED)
            enforced = enforced or (mode == "enforce" and parsed is not None)
        if (text := labels.get(f"{PREFIX}{mode}-version")) is not None:
            version = parse_version(text)
            if version is None:
                causes.append(_wrong(f"{mode}-version", text, 'must be "latest" or "v1.x"'))
            minor = LATEST if version is None else version
        parts[mode] = LevelVersion(level, minor)
    policy = Policy(**parts)
    if enforced and PREFIX + "warn" not in labels and policy.enforce.strictness > policy.warn.strictness:
        minor = policy.warn.minor if f"{PREFIX}warn-version" in labels else policy.enforce.minor
        policy = policy._replace(warn=LevelVersion(policy.enforce.level, minor))
    return policy, causes


def _wrong(label: str, value: str, why: str) -> Cause:
    return invalid(f"metadata.labels[{PREFIX}{label}]", value, why)
