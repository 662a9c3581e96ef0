"""Where docker-compose.yml mounts its volumes, and the names that everything goes by. Addresses change; names stay."""

from __future__ import annotations

from pathlib import Path
from typing import Final

CLUSTER: Final = "kubonsai"
CONTROL_PLANE: Final = "control-plane"      # a service, a host name in the compose network, and a Node
WORKERS: Final = "node"                     # the service of all other nodes
CONTROL_PLANE_NAMES: Final = ("localhost", "127.0.0.1", CONTROL_PLANE)      # what its certificates are for
API_PORT: Final = 6443
GRPC_PORT: Final = 6444

PKI: Final = Path("/var/lib/kubonsai/pki")              # volume `pki`: the control plane's secrets, CA keys among them
JOIN: Final = Path("/var/lib/kubonsai/join")            # volume `join`: what a node needs to become one
ETCD: Final = Path("/var/lib/kubonsai/etcd")            # volume `etcd`
IMAGES: Final = Path("/var/lib/kubonsai/images")        # volume `images`: one store for all nodes
NODES: Final = Path("/var/lib/kubonsai/nodes")          # volume `nodes`: NODES/NAME is a node's disk: credentials, Pods' files, roots
MACHINES: Final = Path("/run/kubonsai/machines")        # volume `machines`: which nodes there are, and which of them run
NETWORK: Final = Path("/run/kubonsai/network")          # volume `network`: the socket that hands out the control plane's network
NETWORK_SOCKET: Final = NETWORK / "network.sock"
OUTPUT: Final = Path("/output")                         # ./.kubonsai of the checkout: the kubeconfig for the host

ADMIN_KUBECONFIG: Final = PKI / "admin.conf"
BOOTSTRAP_TOKEN: Final = JOIN / "token"
CONFIG: Final = Path("/run/kubonsai-config.json")       # of the one process that a container runs
HEALTH: Final = Path("/run/kubonsai-health.curl")       # what the image's HEALTHCHECK asks

POD_SUBNET: Final = "10.244.0.0/16"
SERVICE_SUBNET: Final = "10.96.0.0/12"
KUBERNETES_IP: Final = "10.96.0.1"
DNS_IP: Final = "10.96.0.10"
USER: Final = 10001         # who the control plane's processes run as; see the Dockerfile
