"""What objects cost a ResourceQuota. Pure; the apiserver charges by it, the controller counts anew by it. Follows pkg/quota/v1.

amounts.py          lists of resources: add, subtract, compare, print
pod_resources.py    what a Pod asks for as a whole
scopes.py           which objects a quota with scopes is about
evaluator.py        per resource: which names of a quota concern it, what one object uses of them; objects that are merely counted
pods.py             Pods               services.py  Services
volume_claims.py    PersistentVolumeClaims
resource_claims.py  ResourceClaims     registry.py  which evaluator is whose
"""
