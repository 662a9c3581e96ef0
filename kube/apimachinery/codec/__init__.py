"""Bytes to objects and back.

json.py      JSON, with upstream's syntax errors and duplicate keys    yaml.py     YAML request bodies
protobuf.py  Kubernetes' protobuf for the built-in types               protobuf_table.py  its field numbers, and how they are packed
"""
