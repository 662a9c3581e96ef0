"""Admission by ResourceQuotas: each write is charged to its namespace's quotas before it happens. What objects cost: control_plane/quota.

plugin.py          whom it concerns            configuration.py  limitedResources
rules.py           fits or not, pure           ledger.py         charging by compare-and-swap
surroundings.py    device classes and the Pods of claims, from the watch cache
"""
