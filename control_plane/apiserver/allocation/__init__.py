"""Addresses and ports that only one Service may have.

cluster_ips.py  addresses, each an IPAddress object      node_ports.py  ports, each a key of its own in etcd
services.py     what a Service takes and gives back, around its writes      repair.py  what was lost or left over
"""
