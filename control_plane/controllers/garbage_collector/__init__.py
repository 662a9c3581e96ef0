"""Deletes dependents whose owners are gone; background, foreground and orphan deletion.

graph.py       pure: who owns whom, by uid            references.py  pure: solid, dangling and waiting owners
controller.py  the shell: a metadata informer per resource, one queue of uids
"""
