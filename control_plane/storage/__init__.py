"""etcd, and the picture of it that every reader shares.

etcd.py          reads and compare-and-swap writes        etcd_watch.py   one watch that outlives its connections
connection.py    endpoints, TLS, retries                  leases.py       shared leases for objects with a time to live
compaction.py    which history may go, one at a time      errors.py       what can go wrong, free of gRPC
keys.py          object <-> etcd key                      conversion.py   served versions <-> the stored one (conversion_hpa.py)
cached_object.py one revision of one object               resource_cache.py  objects and recent events of one resource
subscription.py  a watcher's bounded queue                watch_cache.py  everything under /registry/, in memory
encryption/      values encrypted at rest
freshness.py     "at least as new as now", asked once for all waiting readers
"""
