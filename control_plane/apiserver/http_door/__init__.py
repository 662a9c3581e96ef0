"""The HTTPS door: aiohttp's server without its router, since paths are data here.

server.py     sockets, TLS, one handler      handler.py    the way of one request, errors, headers
resources.py  verbs on resources             watch.py      a watch as a chunked stream
answers.py    objects as bytes, as the client wants them   tables.py  as Tables and bare metadata
paths.py      what is no resource: discovery, OpenAPI, health, version, metrics
"""
