"""The Pod network's rights: each node's agent reads all Nodes, to keep routes to their Pods. Only manifests; the agent runs in the kubelet."""
