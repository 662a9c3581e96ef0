"""The agents of a node.

kubelet/  Pods of this node, from API object to running containers and back to status    proxy/    Services in nftables
runtime/  sandboxes, images, containers    volumes/  what is mounted into them           probes/   are they well
"""
