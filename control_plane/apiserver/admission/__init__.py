"""What a write must be like, and what is filled in: one file per plugin.

plugin.py  the request, and what a plugin is      chain.py  the plugins in upstream's order

namespace_lifecycle.py   no content in a namespace that is missing or going       service_account.py  the Pod's account and its token volume
node_restriction.py      a kubelet changes only what is its own                   taint_nodes_by_condition.py  new Nodes start tainted
priority.py              the number behind a Pod's PriorityClass                  default_toleration_seconds.py  300 s on a lost node
certificate_approval.py, certificate_signing.py   rights by signer (signer_rights.py)
certificate_subject_restriction.py                nobody asks for system:masters
"""
