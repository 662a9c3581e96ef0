"""kube-controller-manager: every controller in one process, each a queue of keys and a `reconcile`.

app.py           the composition root, leader election      config.py     what the process is told
managed.py       what all controllers receive, their base   pods.py       questions about Pods: active, ready, available
ownership.py     claiming objects: adoption and release     indexes.py    the stores' shared indexes
node_ipam.py     a Pod range for each Node                  service_account.py  `default` in each namespace
root_ca.py       kube-root-ca.crt in each namespace         pod_gc.py     Pods nobody will take care of
replicaset/      so many Pods of a template; ReplicationControllers too
deployment/      rollouts over ReplicaSets                  disruption/   how many Pods may be taken away
endpoint_slice/  Services' addresses: EndpointSlices, and the older Endpoints
namespace/       emptying namespaces                        garbage_collector/  dependents of gone owners
custom_kinds.py, extension_kinds.py  kinds that are not built in, for those who deal with every kind
bootstrap_tokens.py  expired ones go, others sign           legacy_token_cleaner.py  unused tokens of service accounts
storage_version_migration.py  objects stored anew
storage_protection.py  volumes and claims stay while they are used
node_lifecycle/  Nodes that fell silent: taints, eviction   certificates/       requests: approved, signed, cleared away
"""
