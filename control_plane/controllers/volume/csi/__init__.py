"""Beside a CSI driver: what in other clusters are its sidecars, here for the cluster's own driver.

provisioner.py   volumes for claims, and their end          attacher.py   VolumeAttachments become calls
resizer.py       larger volumes for larger claims           driver.py     Identity and Controller services, on a socket, once needed
"""
