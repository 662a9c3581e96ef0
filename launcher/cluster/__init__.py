"""A cluster on this machine, from nothing to Ready and back to nothing.

settings.py   what the user may choose      layout.py    where its files, addresses and namespaces are
pki.py        CAs and certificates          kubeconfig.py contexts and credentials
plan.py       which process runs where      machines.py  nodes as namespaces, the fabric
zygote.py     forks and restarts processes  supervisor.py the machine room's gRPC face
growth.py     all that is made beforehand   readiness.py  labels, addons, what is waited for
provider.py   what the CLI asks of a cluster, be it this kind (namespaces_provider.py) or another
up.py down.py status.py                     the life of a cluster, as the CLI tells it
log_rotation.py logs that do not grow for ever   join.py  a bootstrap token, and what it may
"""
