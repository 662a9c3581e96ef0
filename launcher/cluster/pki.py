"""The cluster's certificates: three CAs, a service-account key pair, one certificate per component and node.

Names as Kubernetes wants them (https://kubernetes.io/docs/setup/best-practices/certificates/): CN is the user, O the groups.
Certificates are ECDSA P-256 (quick to make); the service-account key is RSA 2048, since tokens are signed with RS256.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kube.process.config import TlsFiles
from launcher.cluster.layout import DOMAIN, Layout, Node
from launcher.cluster.private_file import write_private

CA_LIFETIME = datetime.timedelta(days=3650)
LIFETIME = datetime.timedelta(days=365)


def _private_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _name(common_name: str, organizations: Sequence[str] = ()) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, o) for o in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lifetime: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(issuer).public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority with its key at `directory`/NAME.key and its certificate at NAME.crt."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    certificate_file: Path
    issues: bool = True         # False: it only names the files that are there

    @classmethod
    def ensure(cls, directory: Path, name: str, common_name: str, *, issues: bool = True) -> Authority:
        """The authority that is there, or a new one."""
        certificate_file, key_file = directory / f"{name}.crt", directory / f"{name}.key"
        if certificate_file.exists() and key_file.exists():
            key = serialization.load_pem_private_key(key_file.read_bytes(), None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            return cls(x509.load_pem_x509_certificate(certificate_file.read_bytes()), key, certificate_file, issues)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(common_name)
        usage = x509.KeyUsage(
            digital_signature=True, key_encipherment=True, key_cert_sign=True, crl_sign=False, content_commitment=False,
            data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
        )
        certificate = (
            _builder(subject, subject, key.public_key(), CA_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )
        write_private(key_file, _private_pem(key))
        write_private(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))
        certificate_file.chmod(0o644)
        return cls(certificate, key, certificate_file, issues)

    def ensure_certificate(
        self, directory: Path, name: str, common_name: str, organizations: Sequence[str] = (), *,
        addresses: Sequence[str] = (), server: bool = False, client: bool = True,
    ) -> TlsFiles:
        """NAME.crt and NAME.key in `directory`, made unless they are there and still fit. `addresses`: DNS names and IPs."""
        certificate_file, key_file = directory / f"{name}.crt", directory / f"{name}.key"
        if self.issues and not (key_file.exists() and _still_good(certificate_file, self.certificate, addresses)):
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = self._sign(key.public_key(), common_name, organizations, addresses, server=server, client=client)
            write_private(key_file, _private_pem(key))
            write_private(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))
            certificate_file.chmod(0o644)
        return TlsFiles(cert_file=str(certificate_file), key_file=str(key_file), ca_file=str(self.certificate_file))

    def _sign(
        self, key: ec.EllipticCurvePublicKey, common_name: str, organizations: Sequence[str], addresses: Sequence[str], *,
        server: bool, client: bool,
    ) -> x509.Certificate:
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH] * server + [ExtendedKeyUsageOID.CLIENT_AUTH] * client
        builder = (
            _builder(_name(common_name, organizations), self.certificate.subject, key, LIFETIME)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if addresses:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(a) for a in addresses]), critical=False)
        return builder.sign(self.key, hashes.SHA256())


def _general_name(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _still_good(certificate_file: Path, issuer: x509.Certificate, addresses: Sequence[str]) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        certificate.verify_directly_issued_by(issuer)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value if addresses else ()
    except Exception:
        return False
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)
    return certificate.not_valid_after_utc > soon and all(_general_name(a) in names for a in addresses)


def ensure_service_account_keys(directory: Path) -> tuple[Path, Path]:
    """The key that signs service-account tokens and its public half: (sa.key, sa.pub)."""
    private_file, public_file = directory / "sa.key", directory / "sa.pub"
    if not (private_file.exists() and public_file.exists()):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        write_private(private_file, _private_pem(key))
        write_private(public_file, public)
    return private_file, public_file


@dataclass(frozen=True, slots=True)
class ClusterPki:
    """Every identity of the cluster's common part; a node's own come from `node_identities`."""

    ca: Authority
    etcd_server: TlsFiles
    etcd_client: TlsFiles
    apiserver: TlsFiles
    kubelet_client: TlsFiles
    front_proxy: TlsFiles
    requestheader_ca_file: str
    service_account_key: str
    service_account_public: str
    admin: TlsFiles
    scheduler: TlsFiles
    controller_manager: TlsFiles
    cloud_controller_manager: TlsFiles
    component_serving: TlsFiles


def ensure_pki(layout: Layout) -> ClusterPki:
    """The PKI of a cluster on this machine."""
    first = layout.node(1)
    return ensure_cluster_pki(layout.pki, first.name, ("localhost", "127.0.0.1", first.name, first.address), layout.kubernetes_ip)


def ensure_cluster_pki(
    directory: Path, machine: str, local: Sequence[str], kubernetes_ip: str, *, issues: bool = True
) -> ClusterPki:
    """Makes what is missing or about to expire; keeps the rest, so that a second `up` changes nothing.

    `machine`: the control plane's; `local`: the names and addresses by which its processes are reached. Without `issues` it only tells
    where the files are.
    """
    ca = Authority.ensure(directory, "ca", "kubernetes", issues=issues)
    etcd_ca = Authority.ensure(directory / "etcd", "ca", "etcd-ca", issues=issues)
    front_proxy_ca = Authority.ensure(directory, "front-proxy-ca", "front-proxy-ca", issues=issues)
    kubernetes = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{DOMAIN}", kubernetes_ip]
    service_account_key, service_account_public = ensure_service_account_keys(directory)
    return ClusterPki(
        ca=ca,
        etcd_server=etcd_ca.ensure_certificate(directory / "etcd", "server", machine, addresses=local, server=True),
        etcd_client=etcd_ca.ensure_certificate(directory, "apiserver-etcd-client", "kube-apiserver-etcd-client"),
        apiserver=ca.ensure_certificate(
            directory, "apiserver", "kube-apiserver", addresses=[*kubernetes, *local], server=True, client=False
        ),
        kubelet_client=ca.ensure_certificate(
            directory, "apiserver-kubelet-client", "kube-apiserver-kubelet-client", ["kubeadm:cluster-admins"]
        ),
        front_proxy=front_proxy_ca.ensure_certificate(directory, "front-proxy-client", "front-proxy-client"),
        requestheader_ca_file=str(front_proxy_ca.certificate_file),
        service_account_key=str(service_account_key),
        service_account_public=str(service_account_public),
        admin=ca.ensure_certificate(directory, "admin", "kubernetes-admin", ["system:masters"]),
        scheduler=ca.ensure_certificate(directory, "scheduler", "system:kube-scheduler"),
        controller_manager=ca.ensure_certificate(directory, "controller-manager", "system:kube-controller-manager"),
        cloud_controller_manager=ca.ensure_certificate(directory, "cloud-controller-manager", "system:cloud-controller-manager"),
        component_serving=ca.ensure_certificate(directory, "component-serving", "component", addresses=local, server=True, client=False),
    )


@dataclass(frozen=True, slots=True)
class NodeIdentities:
    kubelet: TlsFiles
    kubelet_serving: TlsFiles
    proxy: TlsFiles
    pod_network: TlsFiles


def ensure_node_identities(layout: Layout, ca: Authority, node: Node) -> NodeIdentities:
    directory = layout.pki / "nodes" / node.name
    return NodeIdentities(
        kubelet=ca.ensure_certificate(directory, "kubelet", f"system:node:{node.name}", ["system:nodes"]),
        kubelet_serving=ca.ensure_certificate(
            directory, "kubelet-serving", f"system:node:{node.name}", ["system:nodes"],
            addresses=[node.name, node.address, "127.0.0.1", "localhost"], server=True, client=False,
        ),
        proxy=ca.ensure_certificate(directory, "kube-proxy", "system:kube-proxy"),
        pod_network=ca.ensure_certificate(directory, "pod-network", "kubonsai:pod-network"),
    )
