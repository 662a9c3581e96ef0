"""One plugin per file, named as in CoreDNS: `setup(directive, setup)` reads its lines of the Corefile and returns what puts it into
the chain; chain.py holds their order.
"""
