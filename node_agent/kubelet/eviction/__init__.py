"""A node that runs short says so, takes no more, gives back what nobody uses, and ends Pods. docs/eviction.md

thresholds.py  signals and their thresholds, as configured     signals.py        how much is there of each
watcher.py     which are met, since when; conditions, pure     ranking.py        whom to end first, pure
messages.py    what is told to whom, pure                      local_storage.py  Pods beyond their own limits, pure
reclaim.py     ended containers                                setup.py         as the configuration wants it
pressure.py    the node's conditions; who is not taken         manager.py        the loop
"""
