"""Pods' logs and consoles: from the client's HTTP or WebSocket to the NodeService of the Pod's node.

connect.py       which stream is asked for, and of which container
nodes.py         gRPC channels to the nodes           logs.py      a log as a chunked answer
channels.py      the channel.k8s.io protocols, pure   console.py   exec and attach: WebSocket <-> gRPC frames
"""
