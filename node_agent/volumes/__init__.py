"""What is mounted into Pods: made on the node, below pods/UID/volumes, refreshed in place.

pod_volumes.py   a Pod's volumes: set up, refreshed, taken down    payloads.py     files from ConfigMaps, Secrets, fields, tokens
atomic_writer.py many files change at once, by one link            host_paths.py   hostPath and its type check
tokens.py        service account tokens, renewed in time           sub_paths.py    subPath: a part of a volume
"""
