"""The three ways to say a change: JSON Patch (RFC 6902), JSON Merge Patch (RFC 7386), strategic merge patch.

json_patch.py  a list of operations    merge_patch.py  a partial document, null deletes    strategic.py  a partial document, lists by key
"""
