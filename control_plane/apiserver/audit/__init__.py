"""Who did what: the audit log, as its policy wants it.

policy.py   rules -> how much is told of a request        log.py   events, as JSON lines
"""
