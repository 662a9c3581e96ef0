"""The product's face.

cluster/  a cluster on this machine: PKI, kubeconfigs, the fabric, the nodes, the supervisor    cli/  ./kubonsai
testing/  the pytest plugin: clusters as fixtures
"""
