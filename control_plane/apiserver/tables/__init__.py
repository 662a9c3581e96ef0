"""What `kubectl get` prints: the server's columns and cells of every kind, as upstream's printers have them.

registry.py  which kind has which table     printer.py  columns, cells, the default table     text.py  ages, labels, lists
pods.py  workloads.py  services.py  cluster.py  config.py  storage.py  policy.py  extensions.py  the kinds' columns and cells
"""
