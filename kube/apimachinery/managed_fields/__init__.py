"""Who wrote which field: metadata.managedFields and server-side apply, as structured-merge-diff keeps and decides them. Pure, no I/O.

path_element.py  one step of a path       types.py      what apply needs to know of a schema
field_set.py     sets of fields           typed.py      values by their type: checked, and as sets of fields
comparison.py    what a write changed     merging.py    an applied configuration into the live object; removal of fields
managers.py      the entries              ownership.py  how a write moves fields between managers; conflicts
conflicts.py     their words              tracking.py   the whole for one kind: update and apply
scale.py         entries of a scale and of its parent
"""
