"""Users vouched for by a proxy in front: it shows a certificate of the request-header CA, and names the user in headers.

Follows apiserver's headerrequest. Aggregated API servers trust this one in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from multidict import MultiMapping

from control_plane.apiserver.authentication.certificate import CertificateSubject
from control_plane.apiserver.authentication.user import UserInfo


class NotAllowed(Exception):
    """A certificate that is good, of a proxy that is not ours."""


@dataclass(frozen=True, slots=True)
class FrontProxy:
    """`allowed_names`: common names of the proxies; none: every certificate of the CA."""

    allowed_names: tuple[str, ...] = ()
    username_headers: tuple[str, ...] = ("X-Remote-User",)
    uid_headers: tuple[str, ...] = ()
    group_headers: tuple[str, ...] = ("X-Remote-Group",)
    extra_prefixes: tuple[str, ...] = ("X-Remote-Extra-",)

    def user(self, certificate: CertificateSubject, headers: MultiMapping[str]) -> UserInfo | None:
        """None: the proxy speaks for itself. `headers` ignore case. Raises NotAllowed."""
        if self.allowed_names and certificate.common_name not in self.allowed_names:
            raise NotAllowed(f"x509: subject with cn={certificate.common_name} is not in the allowed list")
        name = _first(headers, self.username_headers)
        if not name:
            return None
        groups = tuple(value for header in self.group_headers for value in _all(headers, header) if value)
        return UserInfo(name, _first(headers, self.uid_headers), groups, self._extra(headers))

    def _extra(self, headers: MultiMapping[str]) -> dict[str, tuple[str, ...]]:
        extra: dict[str, tuple[str, ...]] = {}
        for prefix in self.extra_prefixes:
            for header, value in headers.items():
                if header.lower().startswith(prefix.lower()):
                    key = unquote(header[len(prefix):].lower())
                    extra[key] = (*extra.get(key, ()), value)
        return extra


def _first(headers: MultiMapping[str], names: tuple[str, ...]) -> str:
    return next((value for name in names for value in _all(headers, name)[:1] if value), "")


def _all(headers: MultiMapping[str], name: str) -> list[str]:
    return list(headers.getall(name, []))
