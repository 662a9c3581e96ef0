"""SPDY/3.1, the server's side: how kubectl multiplexes exec, attach and port-forward over one connection.

headers.py  header blocks and their compression     frames.py  frames <-> bytes, pure     session.py  streams over a pipe of bytes
"""
