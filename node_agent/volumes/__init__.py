"""What is mounted into Pods: made on the node, below pods/UID/volumes, refreshed in place.

plugin.py        what a kind of volume has to do     registry.py          the kinds that every node has
pod_volumes.py   a Pod's volumes, by their plugins   container_mounts.py  what of them a container gets
empty_dir.py     emptyDir                            host_paths.py        hostPath and its type check
api_files.py     configMap, secret, downwardAPI, projected; payloads.py says what is in them
atomic_writer.py many files change at once, by one link
tokens.py        service account tokens, renewed in time
ownership.py     fsGroup                             sub_paths.py         subPath: a part of a volume
"""
