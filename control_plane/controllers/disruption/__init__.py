"""PodDisruptionBudget: how many more Pods may be taken away now. The eviction subresource spends what is counted here.

status.py         pure: healthy Pods, granted evictions, conditions    scales.py   how many Pods their owners want
controller.py     the shell                                            stale_targets.py  takes back marks of evictions that never came
"""
