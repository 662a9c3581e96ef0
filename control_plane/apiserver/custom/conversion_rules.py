"""What is wrong with spec.conversion. Follows apiextensions' validation and apiserver's util/webhook."""

from __future__ import annotations

import base64
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

from control_plane.apiserver.custom import naming
from kube.apimachinery.errors import Cause
from kube.apimachinery.meta import JsonObject
from kube.apimachinery.validation import dns1035_problems, dns_subdomain_problems, forbidden, invalid, not_supported, required

REVIEW_VERSIONS: Final = ("v1", "v1beta1")
_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"


def conversion_causes(conversion: JsonObject, old: JsonObject | None, path: str = "spec.conversion") -> list[Cause]:
    strategy, webhook = conversion.get("strategy") or "", conversion.get("webhook")
    config = (webhook or {}).get("clientConfig")
    versions = (webhook or {}).get("conversionReviewVersions") or []
    causes: list[Cause] = []
    if not strategy:
        causes.append(required(f"{path}.strategy"))
    elif strategy not in ("None", "Webhook"):
        causes.append(not_supported(f"{path}.strategy", strategy, ("None", "Webhook")))
    if strategy != "Webhook":
        said = "should not be set when strategy is not set to Webhook"
        causes += [forbidden(f"{path}.webhookClientConfig", said)] if config is not None else []
        return causes + ([forbidden(f"{path}.conversionReviewVersions", said)] if versions else [])
    if config is None:
        causes.append(required(f"{path}.webhookClientConfig", "required when strategy is set to Webhook"))
    else:
        causes += _client_causes(config, old, f"{path}.webhookClientConfig")
    return causes + _review_causes(versions, f"{path}.conversionReviewVersions")


def is_valid_bundle(text: str) -> bool:
    """Whether a caBundle (base64) holds a certificate."""
    try:
        pem = base64.b64decode(text)
        ssl.create_default_context(cadata=pem.decode())
    except (ValueError, ssl.SSLError):
        return False
    return _CERTIFICATE in pem


def _client_causes(config: JsonObject, old: JsonObject | None, path: str) -> list[Cause]:
    url, service = config.get("url"), config.get("service")
    causes: list[Cause] = []
    if (url is None) == (service is None):
        causes.append(required(path, "exactly one of url or service is required"))
    elif url is not None:
        causes += url_causes(url, f"{path}.url")
    else:
        assert service is not None
        causes += service_causes(service, f"{path}.service")
    bundle = config.get("caBundle")
    if bundle and not _may_be_invalid(old) and not is_valid_bundle(bundle):
        causes.append(invalid(f"{path}.caBundle", bundle, "unable to load root certificates: unable to parse bytes as PEM block"))
    return causes


def _may_be_invalid(old: JsonObject | None) -> bool:
    """Before a definition is established, and where the bundle was invalid all along."""
    if old is None or not naming.is_true(old, naming.ESTABLISHED):
        return True
    held = (((old["spec"].get("conversion") or {}).get("webhook") or {}).get("clientConfig") or {}).get("caBundle")
    return bool(held) and not is_valid_bundle(str(held))


def url_causes(text: str, path: str) -> list[Cause]:
    form = "; desired format: https://host[/path]"
    try:
        url = urlsplit(text)
    except ValueError as error:
        return [required(path, f"url must be a valid URL: {error}{form}")]
    causes = []
    if url.scheme != "https":
        causes.append(invalid(path, url.scheme, f"'https' is the only allowed URL scheme{form}"))
    if not url.netloc:
        causes.append(invalid(path, url.netloc, f"host must be specified{form}"))
    if url.username is not None:
        causes.append(invalid(path, url.username, "user information is not permitted in the URL"))
    if url.fragment:
        causes.append(invalid(path, url.fragment, "fragments are not permitted in the URL"))
    if url.query:
        causes.append(invalid(path, url.query, "query parameters are not permitted in the URL"))
    return causes


def service_causes(service: JsonObject, path: str) -> list[Cause]:
    causes = [required(f"{path}.{key}", f"service {key} is required") for key in ("name", "namespace") if not service.get(key)]
    port: Any = service.get("port", 443)
    if not 1 <= port <= 65535:
        causes.append(invalid(f"{path}.port", port, "port is not valid: must be between 1 and 65535, inclusive"))
    text = service.get("path")
    if text is None or text == "/":
        return causes
    at = f"{path}.path"
    if text == "//":
        return [*causes, invalid(at, text, "segment[0] may not be empty")]
    if not text.startswith("/"):
        causes.append(invalid(at, text, "must start with a '/'"))
    steps = text[1:].removesuffix("/").split("/")
    for index, step in enumerate(steps):
        if not step:
            causes.append(invalid(at, text, f"segment[{index}] may not be empty"))
        else:
            causes += [invalid(at, text, f"segment[{index}]: {problem}") for problem in dns_subdomain_problems(step)]
    return causes


def _review_causes(versions: list[str], path: str) -> list[Cause]:
    if not versions:
        return [required(path)]
    causes: list[Cause] = []
    for index, version in enumerate(versions):
        if version in versions[:index]:
            causes.append(invalid(f"{path}[{index}]", version, "duplicate version"))
            continue
        causes += [invalid(f"{path}[{index}]", version, problem) for problem in dns1035_problems(version)]
    if not set(versions) & set(REVIEW_VERSIONS):
        causes.append(invalid(path, versions, f"must include at least one of {', '.join(REVIEW_VERSIONS)}"))
    return causes
