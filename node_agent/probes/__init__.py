"""Are the containers well? Liveness, readiness and startup probes.

probe_worker.py   one probe of one container: when, thresholds     probe_manager.py   all of a node; results by container id
probers.py        one look: exec, httpGet, tcpSocket, grpc         results.py         what a look found
"""
