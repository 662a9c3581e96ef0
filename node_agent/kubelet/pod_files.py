"""The files of /etc that the kubelet writes for a Pod, pure: hosts, resolv.conf, hostname. Follows pkg/kubelet/network/dns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kube.api.core_v1 import HostAlias, Pod

MAX_HOSTNAME = 63
MAX_FQDN = 64                          # what the kernel takes as a node name
MAX_SEARCHES, MAX_NAMESERVERS = 32, 3
MAX_SEARCH, MAX_SEARCH_LINE = 253, 2048
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
    """As the machine's own file says it; the last `search` line counts, and of each option the last."""
    nameservers: list[str] = []
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    for line in text.splitlines():
        keyword, *words = line.split("#")[0].split(";")[0].split() or [""]
        if keyword == "nameserver" and words:
            nameservers.append(words[0])
        elif keyword == "search":
            searches = tuple(word.removesuffix(".") for word in words if word != ".")
        elif keyword == "options":
            options = tuple({option.partition(":")[0]: option for option in (*options, *words)}.values())
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
    return resolver


def fit_limits(resolver: Resolver) -> tuple[Resolver, list[str]]:
    """What resolvers can take of it, and what is to be said of the rest."""
    warnings = []
    nameservers = resolver.nameservers[:MAX_NAMESERVERS]
    if nameservers != resolver.nameservers:
        warnings.append("Nameserver limits were exceeded, some nameservers have been omitted, "
                        f"the applied nameserver line is: {' '.join(nameservers)}")
    searches = tuple(search for search in resolver.searches[:MAX_SEARCHES] if len(search) <= MAX_SEARCH)
    while len(" ".join(searches)) > MAX_SEARCH_LINE:
        searches = searches[:-1]
    if searches != resolver.searches:
        warnings.append("Search Line limits were exceeded, some search paths have been omitted, "
                        f"the applied search line is: {' '.join(searches)}")
    return Resolver(nameservers, searches, resolver.options), warnings


def pod_hostname(pod: Pod) -> str:
    """spec.hostname or the Pod's name, cut to what a host name may have."""
    name = pod.spec.hostname_override or pod.spec.hostname or pod.metadata.name
    return name[:MAX_HOSTNAME].rstrip("-.")


def pod_domain(pod: Pod, cluster_domain: str) -> str:
    if pod.spec.hostname_override or not pod.spec.subdomain:
        return ""
    return f"{pod.spec.subdomain}.{pod.metadata.namespace}.svc.{cluster_domain}"


def kernel_hostname(pod: Pod, cluster_domain: str) -> str:
    """What `hostname` prints in the Pod. Raises ValueError for a full name that is too long."""
    hostname, domain = pod_hostname(pod), pod_domain(pod, cluster_domain)
    if not (domain and pod.spec.set_hostname_as_fqdn):
        return hostname
    full = f"{hostname}.{domain}"
    if len(full) > MAX_FQDN:
        raise ValueError(f"failed to construct FQDN from pod hostname and cluster domain, FQDN {full} is too long "
                         f"({MAX_FQDN} characters is the max, {len(full)} characters requested)")
    return full


def hosts_file(address: str, hostname: str, domain: str, aliases: Iterable[HostAlias]) -> str:
    text = HOSTS_HEAD
    if address:
        text += f"{address}\t{hostname}.{domain}\t{hostname}\n" if domain else f"{address}\t{hostname}\n"
    return text + _alias_lines(aliases)


def node_hosts_file(text: str, aliases: Iterable[HostAlias]) -> str:
    """Of a Pod in the node's own network: the node's file, and what the Pod adds."""
    return "# Kubernetes-managed hosts file (host network).\n" + text + _alias_lines(aliases)


def _alias_lines(aliases: Iterable[HostAlias]) -> str:
    lines = "".join(f"{alias.ip}\t" + "\t".join(alias.hostnames) + "\n" for alias in aliases)
    return "\n# Entries added by HostAliases.\n" + lines if lines else ""


def _unique(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
