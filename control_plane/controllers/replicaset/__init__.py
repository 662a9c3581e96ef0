"""ReplicaSet and ReplicationController: as many Pods as they say.

plan.py        pure: how many to create, which to delete     status.py   pure: counts and conditions
ranking.py     pure: which Pods are deleted first            controller.py   the shell
kinds.py       what the two kinds differ in                  expectations.py  what the caches have not seen yet
"""
