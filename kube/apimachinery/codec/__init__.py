"""Bytes to objects and back.

json.py      JSON, with upstream's syntax errors and duplicate keys    yaml.py     YAML request bodies
protobuf.py  Kubernetes' protobuf for the built-in types               protobuf_table.py  its field numbers
protobuf_wire.py  varints and lengths        protobuf_special.py  times, quantities and other messages that are no object
depth.py     how deeply a document may be nested
"""
