"""How every process of the cluster lives: configuration, logs, lifetime, health, clock, TLS identity.

config.py   one frozen Struct per process, read from a JSON or YAML file     log.py     constant message + key/values
lifetime.py signals, the event loop, the task group of a process            health.py  /livez /readyz /healthz /metrics
clock.py    time as a parameter                                              pages.py   a few small pages over HTTP
tls.py      certificate, key and CA of a process                            tasks.py   work until an event
"""
