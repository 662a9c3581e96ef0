"""Nodes that fell silent or are in trouble.

conditions.py  pure: Ready becomes Unknown           taints.py    pure: which taints a Node should carry
controller.py  health from Leases, conditions, taints, Pods not ready
eviction.py    deletes Pods that do not tolerate a NoExecute taint, or no longer
"""
