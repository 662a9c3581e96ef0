"""metrics.k8s.io: what nodes and Pods use, read from the kubelets, served as an aggregated API. docs/metrics.md

app.py        start, stop                                   scraper.py      every kubelet's /metrics/resource, each resolution
parsing.py    that text, read                               storage.py      the last two points of everything, pure
answers.py    NodeMetrics, PodMetrics, Tables, discovery    web.py          HTTPS: requests in, answers out
access.py     the front proxy, tokens, rights               certificate.py  what it serves with, self-signed at its start
manifests/    applied by `up --addons metrics-server`
"""
