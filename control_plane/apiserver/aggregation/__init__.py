"""API aggregation: groups that other servers serve, behind this one. Follows kube-aggregator.

    APIService objects -> targets.py (which group version is somebody else's) -> proxy.py     (requests go there)
                                                                              -> documents.py (what discovery says of them)
    checker.py: Service, endpoints, GET /apis/G/V -> availability.py (the condition Available; pure) -> the object's status

strategy.py      rules of a write to an APIService      priorities.py  order of the built-in groups
registration.py  local APIServices of what is served here, built in or custom
trust.py         TLS and headers towards an extension server
"""
