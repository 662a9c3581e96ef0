"""A certificate of the server's own, for as long as its Pod lives: `python -m addons.metrics_server.certificate FILE`.

Run as a process of its own: the library that makes it would stay in the server's memory (8 MB).
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

NAME = "metrics-server.kube-system.svc"


async def make(file: Path) -> None:
    """Key and certificate, in one file. Raises RuntimeError."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", __spec__.name, str(file))
    if code := await child.wait():
        raise RuntimeError(f"no certificate was made: exit code {code}")


def write(file: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME), x509.DNSName(f"{NAME}.cluster.local")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.touch(0o600)
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
