"""Speaks kernel, has never heard of a Pod: namespaces, links, routes, tunnels, packet rules.

kernel.py       who works where: entering a namespace, one worker thread per process     errors.py    what can go wrong
namespaces.py   named namespaces, as `ip netns` keeps them                               sysctl.py    settings a namespace needs
fabric.py       the wire between machines: a bridge in a namespace of its own            netlink.py   requests as bytes, many in one send
sandbox_link.py a namespace wired to a machine by a route, not a bridge                  overlay.py   VXLAN to the other machines
conntrack.py    forgetting redirected UDP flows                                          nft.py       libnftables in the process
iproute.py      pyroute2, as much of it as is needed here                        rtnetlink.py links, routes, neighbours as messages

Everything here is synchronous and works in the namespace of the calling thread, unless it takes a path. A process with
an event loop calls it through `KernelThread.run_in`; one without (the launcher before its loop) inside `kernel.inside`.
"""
