"""Rules for paths inside volumes: what the kubelet writes or mounts must not lead out of them."""

from __future__ import annotations

from kube.apimachinery.errors import Cause
from kube.apimachinery.validation import invalid


def validate_no_backsteps(value: str, path: str) -> list[Cause]:
    return [invalid(path, value, "must not contain '..'")] if ".." in value and ".." in value.split("/") else []


def validate_relative_path(value: str, path: str) -> list[Cause]:
    """A path below something: not absolute, never climbing."""
    causes = [invalid(path, value, "must be a relative path")] if value.startswith("/") else []
    return causes + validate_no_backsteps(value, path)


def validate_non_reserved_path(value: str, path: str) -> list[Cause]:
    """A relative path whose first part does not start with two dots: the kubelet's own links do."""
    causes = validate_relative_path(value, path)
    if value.startswith("..") and not value.startswith("../"):
        causes.append(invalid(path, value, "must not start with '..'"))
    return causes
