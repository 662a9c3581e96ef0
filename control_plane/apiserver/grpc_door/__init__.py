"""The gRPC door: ObjectService for our own components, by client certificate only.

server.py   port, TLS, health, reflection        service.py  the calls: coordinates -> pipeline -> object API
identity.py who calls, from the peer certificate events.py   watch batches as messages
elsewhere.py  calls about kinds of extension servers
"""
