"""Claims get volumes, volumes get attached, both grow and go.

binder.py       claims and volumes are bound; phases, reclaim      ephemeral.py   claims of Pods' ephemeral volumes
bind_steps.py   the writes of a binding                            attach.py      VolumeAttachments, as Pods come and go
reclaim.py      what becomes of a released volume                  expand.py      who makes a claim larger
growth.py       what expand.py and csi/resizer.py have in common
csi/            the parts beside a CSI driver: provisioner, attacher, resizer; and the cluster's own driver's controller service
"""
