"""May they.

attributes.py   the question and the answer       authorizer.py        the chain of modes; the messages
configuration.py  which modes, in which order: a file or flags         abac.py  policies in a file
rbac.py         rules of roles, through bindings  rbac_index.py        bindings by subject, kept current by the watch cache
node.py         what a kubelet may touch          node_graph.py        which objects the Pods of a node refer to
webhook.py      a remote service; conditions.py   CEL: what it is asked about
rules.py        matching one rule; covering       escalation.py        nobody grants what they do not hold
reviews.py      SubjectAccessReview and SelfSubjectRulesReview
bootstrap_policy.py  makes sure of the default roles and bindings      default_*.py  those roles and bindings
"""
