"""Beside a CSI driver: what in other clusters are its sidecars, here for the cluster's own driver.

provisioner.py   volumes for claims, and their end          attacher.py   VolumeAttachments become calls
resizer.py       larger volumes for larger claims
driver.py        the driver's socket, made once needed      driver_services.py   Identity and Controller behind it
"""
