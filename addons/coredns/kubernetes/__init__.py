"""What the kubernetes plugin answers from.

objects.py  the few fields of Services and EndpointSlices that DNS needs    store.py  them, indexed by name and address
lookup.py   a name and a type -> records, pure                             watch.py  keeps the store like the apiserver's
"""
