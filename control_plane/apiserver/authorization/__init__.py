"""May they.

attributes.py   the question and the answer       authorizer.py        the chain of modes; the messages
rbac.py         rules of roles, through bindings  rbac_index.py        bindings by subject, kept current by the watch cache
node.py         what a kubelet may touch          node_graph.py        which objects the Pods of a node refer to
rules.py        matching one rule; covering       escalation.py        nobody grants what they do not hold
reviews.py      SubjectAccessReview and SelfSubjectRulesReview
bootstrap_policy.py  makes sure of the default roles and bindings      default_*.py  those roles and bindings
"""
