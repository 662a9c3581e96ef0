"""What runs in the cluster as Pods.

coredns/  the cluster's DNS server
"""
