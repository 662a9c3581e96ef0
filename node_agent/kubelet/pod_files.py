"""The files of /etc that the kubelet writes for a Pod, pure: hosts, resolv.conf, hostname. Follows pkg/kubelet/network/dns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kube.api.core_v1 import HostAlias, Pod

MAX_HOSTNAME = 63
MAX_SEARCHES, MAX_NAMESERVERS = 32, 3
HOSTS_HEAD = """\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


@dataclass(frozen=True, slots=True)
class Resolver:
    """The contents of a resolv.conf."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def text(self) -> str:
        lines = []
        if self.searches:
            lines.append("search " + " ".join(self.searches))
        lines += [f"nameserver {address}" for address in self.nameservers]
        if self.options:
            lines.append("options " + " ".join(self.options))
        return "".join(line + "\n" for line in lines)


def parse_resolv_conf(text: str) -> Resolver:
    """As the machine's own file says it; the last `search` and `options` lines count."""
    nameservers: list[str] = []
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    for line in text.splitlines():
        keyword, *words = line.split("#")[0].split(";")[0].split() or [""]
        if keyword == "nameserver" and words:
            nameservers.append(words[0])
        elif keyword == "search":
            searches = tuple(words)
        elif keyword == "options":
            options = tuple(words)
    return Resolver(tuple(nameservers), searches, options)


def pod_resolver(pod: Pod, cluster_dns: Sequence[str], cluster_domain: str, machine: Resolver) -> Resolver:
    """By dnsPolicy: ClusterFirst, Default, None, ClusterFirstWithHostNet; then what dnsConfig adds."""
    policy = pod.spec.dns_policy or "ClusterFirst"
    if policy == "ClusterFirst" and pod.spec.host_network:
        policy = "Default"
    if policy == "None":
        resolver = Resolver()
    elif policy == "Default" or not cluster_dns:
        resolver = machine
    else:
        searches = (f"{pod.metadata.namespace}.svc.{cluster_domain}", f"svc.{cluster_domain}", cluster_domain)
        resolver = Resolver(tuple(cluster_dns), _unique((*searches, *machine.searches)), ("ndots:5",))
    config = pod.spec.dns_config
    if config is not None:
        options = {option.partition(":")[0]: option for option in resolver.options}
        for option in config.options:
            options[option.name] = f"{option.name}:{option.value}" if option.value else option.name
        resolver = Resolver(
            _unique((*resolver.nameservers, *config.nameservers)), _unique((*resolver.searches, *config.searches)), tuple(options.values()),
        )
    return Resolver(resolver.nameservers[:MAX_NAMESERVERS], resolver.searches[:MAX_SEARCHES], resolver.options)


def pod_hostname(pod: Pod) -> str:
    """spec.hostname or the Pod's name, cut to what a host name may have."""
    name = pod.spec.hostname_override or pod.spec.hostname or pod.metadata.name
    return name[:MAX_HOSTNAME].rstrip("-.")


def pod_domain(pod: Pod, cluster_domain: str) -> str:
    return f"{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{cluster_domain}" if pod.spec.subdomain else ""


def hosts_file(address: str, hostname: str, domain: str, aliases: Iterable[HostAlias]) -> str:
    text = HOSTS_HEAD
    if address:
        text += f"{address}\t{hostname}.{domain}\t{hostname}\n" if domain else f"{address}\t{hostname}\n"
    aliases = list(aliases)
    if aliases:
        text += "\n# Entries added by HostAliases.\n"
        text += "".join(f"{alias.ip}\t" + "\t".join(alias.hostnames) + "\n" for alias in aliases)
    return text


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
