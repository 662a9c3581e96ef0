"""ClusterTrustBundles. Follows ValidateClusterTrustBundle and registry/certificates/clustertrustbundle."""

from __future__ import annotations

import base64
import re
from functools import partial
from typing import Final

from cryptography import x509

from control_plane.apiserver.strategies.base import Strategy
from control_plane.apiserver.strategies.certificates import validate_signer_name
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import FIELD_IMMUTABLE, NameRule, dns_subdomain_problems, invalid, too_long

_SIZE_LIMIT: Final = 1024 * 1024
_PATH: Final = "spec.trustBundle"
_BLOCK: Final = re.compile(
    r"^-----BEGIN (?P<type>[^\n]*?)-----[ \t]*\r?\n(?P<headers>(?:[^\n:]+:[^\n]*\n)*)(?P<body>[A-Za-z0-9+/=\s]*?)"
    r"-----END (?P=type)-----[ \t]*$",
    re.MULTILINE)


class ClusterTrustBundleStrategy(Strategy):
    allows_update_without_version = False

    def name_rule(self, obj: JsonObject) -> NameRule:
        return partial(_name_problems, (obj.get("spec") or {}).get("signerName") or "")

    def validate_object(self, obj: JsonObject, old: JsonObject | None) -> list[Cause]:
        spec = obj.get("spec") or {}
        signer, bundle = spec.get("signerName") or "", spec.get("trustBundle") or ""
        causes = validate_signer_name(signer, "spec.signerName") if signer else []
        if old is None or bundle != (old.get("spec") or {}).get("trustBundle"):
            causes += _validate_bundle(bundle)
        return causes

    def validate_change(self, obj: JsonObject, old: JsonObject) -> list[Cause]:
        signer, held = ((one.get("spec") or {}).get("signerName") or "" for one in (obj, old))
        return [] if signer == held else [invalid("spec.signerName", signer, FIELD_IMMUTABLE)]

    def own_fields(self, obj: JsonObject) -> dict[str, str]:
        return {"spec.signerName": (obj.get("spec") or {}).get("signerName") or ""}


def _name_problems(signer: str, name: str) -> list[str]:
    if not signer:
        return ['ClusterTrustBundle without signer name must not have ":" in its name'] if ":" in name else dns_subdomain_problems(name)
    prefix = signer.replace("/", ":") + ":"
    if not name.startswith(prefix):
        return [f"ClusterTrustBundle for signerName {signer} must be named with prefix {prefix}"]
    return dns_subdomain_problems(name.removeprefix(prefix))


def _validate_bundle(bundle: str) -> list[Cause]:
    """PEM blocks of CA certificates, each once."""
    if len(bundle.encode()) > _SIZE_LIMIT:
        return [too_long(_PATH, _SIZE_LIMIT)]
    problems: list[str] = []
    found: dict[bytes, list[int]] = {}
    index = -1
    for block in _BLOCK.finditer(bundle):
        try:
            der = base64.b64decode("".join(block["body"].split()), validate=True)
        except ValueError:
            continue        # Go's reader goes on to the next block as well
        index += 1
        if problem := _block_problem(block["type"], bool(block["headers"]), der):
            problems.append(f"entry {index} {problem}")
        else:
            found.setdefault(der, []).append(index)
    if not problems and not found:
        problems.append("at least one trust anchor must be provided")
    elif not problems:
        problems = [f"duplicate trust anchor (indices [{' '.join(map(str, at))}])" for at in found.values() if len(at) > 1]
    return [invalid(_PATH, "<value omitted>", problem) for problem in problems]


def _block_problem(kind: str, headers: bool, der: bytes) -> str:
    if kind != "CERTIFICATE":
        return f"has bad block type: {kind}"
    if headers:
        return "has PEM block headers"
    try:
        constraints = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return "does not have the CA bit set"
    except ValueError:
        return "does not parse as X.509"
    return "" if constraints.ca else "does not have the CA bit set"
