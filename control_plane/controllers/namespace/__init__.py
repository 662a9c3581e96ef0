"""Emptying a namespace that is being deleted.

content.py     what it holds, and deleting it         conditions.py  pure: what its status says meanwhile
controller.py  the shell
"""
