"""cloud-controller-manager: tells the cluster about its machines. The supervisor is its cloud.

app.py      the composition root, leader election     config.py    what the process is told
machines.py the cloud as this process sees it         initialise.py  new Nodes: provider id, addresses, zone, taint
lifecycle.py  Nodes whose machine is gone or off
"""
