"""A Python script as an HTTPS server in a Pod behind a Service: what an extension server or a webhook is to a cluster."""

from __future__ import annotations

import base64
from pathlib import Path

from tests.support.apiserver_pki import TestPki
from tests.support.space import Space, config_map, container, deployment, service


def https_pod(space: Space, directory: Path, name: str, script: str, **files: str) -> str:
    """Deployment and Service `name`, port 443. The script serves at 8443, with /tls/tls.crt and tls.key; the files are in /script.

    Returns the CA bundle that clients need, base64.
    """
    tls = TestPki(directory).identity(name, host=f"{name}.{space.namespace}.svc")
    secret = {
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": name},
        "data": {key: _encoded(path) for key, path in (("tls.crt", tls.cert_file), ("tls.key", tls.key_file))},
    }
    mounts = [{"name": "tls", "mountPath": "/tls"}, {"name": "script", "mountPath": "/script"}]
    behind = deployment(name, container(
        name, image="python", command=["python3", "/script/run.py"], volumeMounts=mounts,
        readinessProbe={"tcpSocket": {"port": 8443}, "periodSeconds": 1}))
    behind["spec"]["template"]["spec"]["volumes"] = [
        {"name": "tls", "secret": {"secretName": name}}, {"name": "script", "configMap": {"name": "script"}}]
    space.create(secret, config_map("script", **{"run.py": script, **files}), behind, service(name, port=443, target=8443))
    return _encoded(tls.ca_file)


def _encoded(path: str) -> str:
    return base64.b64encode(Path(path).read_bytes()).decode()
