"""What is mounted into Pods: made on the node, below pods/UID/volumes, refreshed in place.

plugin.py        what a kind of volume has to do     registry.py          the kinds that every node has
pod_volumes.py   a Pod's volumes, by their plugins   container_mounts.py  what of them a container gets
empty_dir.py     emptyDir                            host_paths.py        hostPath and its type check
api_files.py     configMap, secret, downwardAPI, projected; payloads.py says what is in them
followed.py      the objects that these are made of, watched while a Pod needs them
tokens.py, trust_bundles.py, pod_certificates.py     what gives a Pod its identity; renewed in time
persistent/      claims: hostPath, local, nfs, CSI
atomic_writer.py many files change at once, by one link
ownership.py     fsGroup     sub_paths.py  a part of a volume     nested.py  places within one for others
tmpfs.py         memory
"""
