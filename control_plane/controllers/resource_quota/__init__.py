"""The resource quota controller: counts what each quota's namespace uses, and writes it into the quota's status.

controller.py   when to count, and what is written     watches.py   what is counted: one informer per resource that some quota names
settling.py     when a count can be trusted            changes.py   which updates may give something back
surroundings.py device classes and the Pods of claims  freed.py     what objects that went or shrank gave back
"""
