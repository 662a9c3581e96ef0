"""What a write must be like, and what is filled in: one file per plugin.

plugin.py   the request and the two Protocols     chain.py   the plugins in upstream's order
"""
