"""ReplicaSet: as many Pods as it says.

plan.py        pure: how many to create, which to delete     status.py   pure: counts and conditions
ranking.py     pure: which Pods are deleted first            controller.py   the shell
expectations.py  what the caches have not seen yet
"""
