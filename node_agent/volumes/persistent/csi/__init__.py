"""Volumes of CSI drivers, on a node. Follows pkg/volume/csi and pkg/kubelet/pluginmanager.

registration.py   drivers make themselves known by a socket       node_info.py      CSINode, labels: the cluster learns of a driver
in_use.py         what is not to be detached                        resize.py         file systems follow their volumes
source.py         attached, staged, published, and back           volume_data.py    what of a volume a new kubelet must know
block_driver.py   the node half of the cluster's own driver, started when the cluster first has its CSIDriver object
"""
