"""PersistentVolumes on a node, and their kinds named in the Pod itself.

storage.py   all of it, put together                                            source.py  what a kind of storage is
plugin.py    one volume of one Pod: which claim, which volume, whose kind      claims.py   the claim and its volume, checked
local.py     local: a directory or a disk of this node                          nfs.py      nfs, by the machine's own client
refused.py   kinds that are gone from Kubernetes, or that this node cannot do   disks.py    formats, mounts and grows block devices
locks.py     one call about a volume at a time                                   mounted.py  claims that Pods have mounted
csi/         volumes of CSI drivers
"""
