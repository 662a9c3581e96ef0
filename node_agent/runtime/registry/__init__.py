"""Pulling images from registries (OCI distribution, Docker's registry API 2) into the store that `load` fills too.

    access.py       which registries may be asked, and from which network
    endpoints.py    where a registry is: mirrors, certificates, plain HTTP; containerd's hosts.toml
    challenge.py    what a registry says about authorization (WWW-Authenticate)
    machine.py      sockets and names of the machine's own network, for registries outside of the node's
    http.py         requests: redirects, credentials, tokens
    client.py       manifests and blobs of one repository
    pull.py         from a name to an image of the store
    unpack.py       the process that unpacks what was pulled

aiohttp and ssl are imported with the first pull, not with the kubelet.
"""
