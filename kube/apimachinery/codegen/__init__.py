"""Maintainers' programs that write this project's generated files; nothing imports them at run time.

structs.py  kube/api from the schemas: `python -m kube.apimachinery.codegen.structs [--check]`
names.py    Kubernetes' camelCase to Python's snake_case
protobuf_table.py  codec/protobuf_table.json from upstream's .proto and Go files, when the Kubernetes version changes
"""
