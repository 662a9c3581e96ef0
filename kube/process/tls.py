"""TLS identities: the certificate, key and trusted CA of a process, as gRPC and as the standard library want them."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from kube.process.config import TlsFiles

if TYPE_CHECKING:
    import grpc  # imported where it is used: tools and Pods speak HTTPS alone


def grpc_channel_credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    import grpc

    return grpc.ssl_channel_credentials(
        root_certificates=Path(files.ca_file).read_bytes(),
        private_key=Path(files.key_file).read_bytes(),
        certificate_chain=Path(files.cert_file).read_bytes(),
    )


def grpc_server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """A server that takes only clients whose certificate the CA signed."""
    import grpc

    return grpc.ssl_server_credentials(
        [(Path(files.key_file).read_bytes(), Path(files.cert_file).read_bytes())],
        root_certificates=Path(files.ca_file).read_bytes(),
        require_client_auth=True,
    )


def server_context(files: TlsFiles, *, client_certificates: ssl.VerifyMode = ssl.CERT_OPTIONAL) -> ssl.SSLContext:
    """HTTPS server side; clients may (or must) show a certificate of the CA."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files.ca_file)
    context.load_cert_chain(files.cert_file, files.key_file)
    context.verify_mode = client_certificates
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=files.ca_file)
    context.load_cert_chain(files.cert_file, files.key_file)
    return context
