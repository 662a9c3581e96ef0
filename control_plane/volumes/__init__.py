"""What the controllers and the scheduler both know of claims and volumes: names, fits, who is bound to whom.

names.py      annotations, finalizers, provisioners       claims.py   questions about one claim or volume
attachments.py   about one VolumeAttachment
matching.py   which volume fits a claim best              newest.py   what was just written, until the watch brings it
"""
