"""cloud-controller-manager: tells the cluster about its machines. The supervisor is its cloud, or a folder that containers write to.

app.py        the composition root, leader election     config.py      what the process is told
machines.py   the cloud as this process sees it         records.py     what a container writes of itself
initialise.py new Nodes: provider id, zone, taint       addresses.py   Nodes' addresses are their machines'
lifecycle.py  Nodes whose machine is gone or off        serving_certificates.py  kubelets' certificates are for their machine
"""
