"""The proxy subresources of Pods, Services and Nodes: any request, passed on to what they name, its answer passed back.

connector.py  the whole way of one request       location.py  what a name means: scheme, address, who must answer there
exchange.py   a request and its answer           rewriting.py what changes on the way, pure
tunnel.py     a request that wants an upgrade    dial.py      connections, and their failures
"""
