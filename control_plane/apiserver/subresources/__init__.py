"""Verbs that are not about a stored object as such.

bodies.py     which (resource, subresource) is handled here      scale.py    replicas of any scalable kind
binding.py    a Pod is given its node                            eviction.py a Pod is asked to go
tokens.py     tokens of service accounts                         reviews.py  who am I, may I, what may I
disruption_budgets.py  pure: what a PodDisruptionBudget says to an eviction
"""
