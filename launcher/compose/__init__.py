"""The cluster as containers: what each service of docker-compose.yml runs (`python -m launcher.compose ROLE`).

roles.py       which roles there are            paths.py     where the volumes are mounted
authority.py   init: the PKI, once              addons.py    addons: what makes the cluster a finished one
machine.py     a node: kubelet and kube-proxy   member.py    the control plane's processes
network.py     how members come into the control-plane node's network
naming.py      a container's name and address   wait.py      until all is Ready

And, on the user's machine, `./kubonsai up --provider compose`: provider.py, with provider_engine.py (Docker's clients),
provider_containers.py (what they say), provider_machines.py, provider_access.py and provider_folder.py (the
kubeconfig), provider_logs.py, provider_images.py.
"""
