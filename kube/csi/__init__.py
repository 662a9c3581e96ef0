"""The Container Storage Interface: its messages (v1/), how its callers speak (calls.py), the volumes of the cluster's own driver
(block_store.py), and names that need nothing of these (names.py).
"""
