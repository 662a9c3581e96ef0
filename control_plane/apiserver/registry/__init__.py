"""The verbs on stored objects; every built-in kind takes these paths, there is no code per route.

call.py        who wants what               options.py           options of the verbs, from query or body
reader.py      get, list                    continue_token.py    pages of one snapshot
watching.py    watch                        decoding.py          request bodies -> checked objects
writer.py      create, update, patch        compare_and_swap.py  the loop around every change of an object
deleter.py     delete, deletecollection     patching.py         the patch types
field_tracking.py managed fields of a request
object_meta.py what the server itself sets in metadata
hooks.py       work of single kinds around writes   subresource_writes.py  approval, resize, finalize ...
"""
