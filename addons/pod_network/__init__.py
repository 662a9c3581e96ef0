"""The Pod network's rights: each node's agent reads all Nodes, to keep routes to their Pods. Manifests only: the agent is the kubelet."""
