"""kube-apiserver: two doors, one pipeline, one registry over the watch cache and etcd.

app.py           composition root                   assembly.py     which part gets which
config.py        its configuration                  request_info.py what a request is about
http_door/       HTTPS: REST, discovery, health     grpc_door/      gRPC: ObjectService for our own components
pipeline.py      authn, impersonation, flow control, authz; with  impersonation.py  flow/  observers.py
negotiation.py   which representation is wanted     object_api.py   verbs on resources, for both doors
registry/        the verbs on stored objects        subresources/   binding, eviction, scale, tokens, reviews
strategies/      rules of each kind                 tables/         columns of each kind
authentication/  authorization/  admission/         who, may they, may it be so; identity_config.py, remote.py: settings, servers asked
audit/           who did what                       impersonation.py  acting as another
allocation/      cluster IPs and node ports         streaming/      logs, exec, attach
discovery/       documents about what is served     bootstrap/      what a cluster is never without
aggregation/     groups that other servers serve
"""
