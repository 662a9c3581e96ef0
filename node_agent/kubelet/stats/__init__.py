"""What the node and its Pods use, measured when somebody asks. docs/metrics.md

cgroup_usage.py  CPU, memory, pressure of one control group       network_usage.py  bytes by interface
disk_usage.py    bytes and inodes below a path, for a while        node_facts.py     memory and process ids that the node has left
sources.py       whom to measure: groups, directories, links       collector.py      all of it put together
model.py         Summary v1alpha1, its parts                       summary.py        /stats/summary
exposition.py    /metrics/resource, cadvisor, volumes              endpoints.py      what the HTTPS server answers
ephemeral.py     what of its files ends with a Pod
"""
