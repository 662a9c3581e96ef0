"""How a component talks to the apiserver: one client over a Transport, and what is built on its watches.

transport.py        the seam: calls in bytes             grpc_transport.py, rest_transport.py   its two implementations
http_connection.py  HTTP/1.1 under the REST transport    grpc_channel.py connection under the gRPC transport
client.py           typed calls (kube.api Structs)       dynamic.py      the same on plain dicts, any resource
objects.py          keys, owners and types of objects    informer.py     list + watch -> store, handlers
reflector.py        the loop under an informer           store.py        an informer's objects and indexes
workqueue.py        keys to reconcile, client-go's rules controller.py   queue + workers + reconcile
leader_election.py  one of several processes works       events.py, event_correlator.py   Events, aggregated
delegated_auth.py   who may use a component's own port   claims.py        what the claims of a Pod's volumes are called
node_selector.py    whether a node is meant
"""
