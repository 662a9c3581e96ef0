"""kube-proxy: Services and EndpointSlices -> facts -> the difference -> one nftables transaction.

planner.py   one Service as facts, pure          facts.py    what the kernel must know of a Service
endpoints.py which endpoints count, pure         ledger.py   what the kernel holds; changes as elements
table.py     the table: maps, chains, classes    proxier.py  informers -> ledger -> kernel, coalesced
stale.py     UDP flows to forget, pure  affinity.py what the kernel remembers of clients
server.py      /healthz, /metrics, /proxyMode
config.py    its configuration                   metrics.py  upstream's names           app.py  the process
"""
