"""The rules of every kind: defaults, what may be written, what may change, what a delete does. Pure: dicts in, causes out.

registry.py   which kind has which rules     base.py  the generic rules and the seams    metadata.py  names, labels, owners, finalizers
deletion.py   what a delete request does     selectors.py, resource_lists.py  rules that many specs share

pods.py       Pods and templates, with  pod_defaults.py  pod_spec.py  pod_containers.py  pod_volumes.py  pod_scheduling.py  pod_qos.py
workloads.py  Deployment, ReplicaSet, StatefulSet, DaemonSet, ReplicationController         batch.py  Job, CronJob
services.py   Service        endpoints.py  Endpoints, EndpointSlice     networking.py  Ingress, NetworkPolicy, IPAddress, ServiceCIDR
config.py     ConfigMap, Secret, ServiceAccount                         cluster.py  Namespace, Node, Lease, PriorityClass, RuntimeClass
events.py     both Events    rbac.py  roles and bindings                policy.py  PDB, HPA, LimitRange, ResourceQuota
storage.py    volumes, claims, classes                                  extensions.py  CRD, APIService, webhooks, flow control
certificates.py  CertificateSigningRequest
"""
