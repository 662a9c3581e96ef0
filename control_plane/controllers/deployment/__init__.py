"""Deployment: rollouts over ReplicaSets, one per Pod template.

template.py     which ReplicaSet belongs to a template: equality, hash    rollout_annotations.py  revision, sizes
rolling.py      pure: sizes during a rolling update                       scaling.py      pure: sizes when only replicas change
status.py       pure: counts and conditions, progress, time-outs          replica_sets.py the shell's writes to ReplicaSets
revisions.py    finds or makes the new ReplicaSet                         controller.py   the shell
"""
