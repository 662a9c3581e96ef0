"""Settings of kube-apiserver about who asks and what he may. Each comment names the flag upstream has for it; defaults are upstream's."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from kube.process.config import Config, ConfigError

MIN_MAX_EXPIRATION_S: Final = 3600
MAX_EXPIRATION_S: Final = 1 << 32
MODES: Final = ("AlwaysAllow", "AlwaysDeny", "ABAC", "Webhook", "RBAC", "Node")
DEFAULT_MODES: Final = ("Node", "RBAC")


class IdentityConfig(Config, frozen=True, kw_only=True):
    anonymous_auth: bool = True                              # --anonymous-auth
    token_auth_file: str = ""                                # --token-auth-file: token,user,uid,"group1,group2" (CSV)
    basic_auth_file: str = ""                                # --basic-auth-file, removed in 1.19: an error
    enable_bootstrap_token_auth: bool = True                 # --enable-bootstrap-token-auth; upstream False, kubeadm True
    api_audiences: tuple[str, ...] = ()                      # --api-audiences; none: the issuers of service accounts
    authentication_config: str = ""                          # --authentication-config: AuthenticationConfiguration v1

    service_account_issuer: str | tuple[str, ...] = "https://kubernetes.default.svc.cluster.local"
    #                                                        # --service-account-issuer; the first is written into new tokens
    service_account_jwks_uri: str = ""                       # --service-account-jwks-uri
    service_account_lookup: bool = True                      # --service-account-lookup
    service_account_extend_token_expiration: bool = True     # --service-account-extend-token-expiration
    service_account_max_token_expiration_s: int = 0          # --service-account-max-token-expiration; 0: no limit

    oidc_issuer_url: str = ""                                # --oidc-issuer-url
    oidc_client_id: str = ""                                 # --oidc-client-id
    oidc_ca_file: str = ""                                   # --oidc-ca-file
    oidc_username_claim: str = "sub"                         # --oidc-username-claim
    oidc_username_prefix: str = ""                           # --oidc-username-prefix; "-": none
    oidc_groups_claim: str = ""                              # --oidc-groups-claim
    oidc_groups_prefix: str = ""                             # --oidc-groups-prefix
    oidc_signing_algs: tuple[str, ...] = ("RS256",)          # --oidc-signing-algs
    oidc_required_claim: dict[str, str] = {}                 # --oidc-required-claim

    authentication_token_webhook_config_file: str = ""       # --authentication-token-webhook-config-file: a kubeconfig
    authentication_token_webhook_version: str = "v1beta1"    # --authentication-token-webhook-version  # noqa: S105
    authentication_token_webhook_cache_ttl_s: float = 120.0  # --authentication-token-webhook-cache-ttl

    requestheader_client_ca_file: str = ""                   # --requestheader-client-ca-file
    requestheader_allowed_names: tuple[str, ...] = ("front-proxy-client",)    # --requestheader-allowed-names; kubeadm's
    requestheader_username_headers: tuple[str, ...] = ("X-Remote-User",)      # --requestheader-username-headers; kubeadm's
    requestheader_uid_headers: tuple[str, ...] = ()                           # --requestheader-uid-headers
    requestheader_group_headers: tuple[str, ...] = ("X-Remote-Group",)        # --requestheader-group-headers; kubeadm's
    requestheader_extra_headers_prefix: tuple[str, ...] = ("X-Remote-Extra-",)    # --requestheader-extra-headers-prefix; kubeadm's

    authorization_modes: tuple[str, ...] = DEFAULT_MODES     # --authorization-mode; upstream AlwaysAllow, kubeadm Node,RBAC
    authorization_config: str = ""                           # --authorization-config: AuthorizationConfiguration v1
    authorization_policy_file: str = ""                      # --authorization-policy-file: JSON lines, for mode ABAC
    authorization_webhook_config_file: str = ""              # --authorization-webhook-config-file: a kubeconfig, for mode Webhook
    authorization_webhook_version: str = "v1beta1"           # --authorization-webhook-version
    authorization_webhook_cache_authorized_ttl_s: float = 300.0       # --authorization-webhook-cache-authorized-ttl
    authorization_webhook_cache_unauthorized_ttl_s: float = 30.0      # --authorization-webhook-cache-unauthorized-ttl

    audit_policy_file: str = ""                              # --audit-policy-file: Policy of audit.k8s.io/v1
    audit_log_path: str = ""                                 # --audit-log-path: JSON lines; "-" is standard output

    @property
    def issuers(self) -> tuple[str, ...]:
        """Of service accounts' tokens."""
        issuer = self.service_account_issuer
        return (issuer,) if isinstance(issuer, str) else issuer

    def check_identity(self) -> None:
        """Raises ConfigError, in the words of upstream's flags."""
        self._check_tokens()
        self._check_oidc()
        self._check_authorization()

    def _check_tokens(self) -> None:
        if self.basic_auth_file:
            raise ConfigError(
                "basic_auth_file: Kubernetes removed --basic-auth-file in 1.19; use token_auth_file, client certificates or OpenID Connect")
        if not self.issuers or not all(self.issuers):
            raise ConfigError("service_account_issuer: service-account-issuer is a required flag, and no issuer may be empty")
        if len(set(self.issuers)) != len(self.issuers):
            raise ConfigError("service_account_issuer: service-account-issuer is already specified")
        if self.service_account_jwks_uri and urlsplit(self.service_account_jwks_uri).scheme != "https":
            raise ConfigError(f"service-account-jwks-uri requires https scheme, parsed as: {self.service_account_jwks_uri}")
        longest = self.service_account_max_token_expiration_s
        if longest and not MIN_MAX_EXPIRATION_S <= longest <= MAX_EXPIRATION_S:
            raise ConfigError("the service-account-max-token-expiration must be between 1 hour and 2^32 seconds")
        if self.authentication_token_webhook_version not in ("v1", "v1beta1"):
            raise ConfigError(
                f'unsupported authentication webhook version "{self.authentication_token_webhook_version}", '
                'supported versions are "v1", "v1beta1"')

    def _check_oidc(self) -> None:
        if bool(self.oidc_issuer_url) != bool(self.oidc_client_id):
            raise ConfigError("oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set")
        if self.authentication_config and self.oidc_issuer_url:
            raise ConfigError("authentication-config file and oidc-* flags are mutually exclusive")

    def _check_authorization(self) -> None:
        modes = self.authorization_modes
        if self.authorization_config:
            if modes != DEFAULT_MODES or self.authorization_webhook_config_file:
                raise ConfigError(
                    "--authorization-config can not be specified when --authorization-mode or --authorization-webhook-* flags are defined")
            return
        if not modes:
            raise ConfigError("at least one authorization-mode must be passed")
        for index, mode in enumerate(modes):
            if mode not in MODES:
                raise ConfigError(f'authorization-mode "{mode}" is not a valid mode: known are {", ".join(MODES)}')
            if mode in modes[:index]:
                raise ConfigError(f'authorization-mode "{list(modes)}" has mode specified more than once')
        for mode, file, what in (
            ("ABAC", self.authorization_policy_file, "policy"), ("Webhook", self.authorization_webhook_config_file, "config"),
        ):
            if mode in modes and not file:
                raise ConfigError(f"authorization-mode {mode}'s authorization {what} file not passed")
            if mode not in modes and file:
                flag = "--authorization-policy-file" if mode == "ABAC" else "--authorization-webhook-config-file"
                raise ConfigError(f"cannot specify {flag} without mode {mode}")
