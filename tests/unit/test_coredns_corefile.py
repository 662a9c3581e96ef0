"""What a Corefile may say, and how a wrong one is answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from addons.coredns.corefile import CorefileError, parse_corefile, parse_seconds
from addons.coredns.runtime import Runtime
from addons.coredns.site import build_site

FULL = """
# the file that upstream ships
(shared) {
    errors
}
.:53 {
    import shared
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000   # at the same time
    }
    cache 30
    loop
    reload
    loadbalance
}
example.org:1053, 10.0.0.0/8 {
    bind {$ADDRESS}
    hosts "/etc/my hosts" {
        10.0.0.1 one.example.org two.example.org
        fallthrough
    }
}
"""


@pytest.mark.req("DNS-09")
def test_blocks_zones_and_directives() -> None:
    first, second = parse_corefile(FULL, environment={"ADDRESS": "127.0.0.1"})

    assert first.zones == ((".", 53),)
    assert [directive.name for directive in first.directives] == [
        "errors", "health", "ready", "kubernetes", "prometheus", "forward", "cache", "loop", "reload", "loadbalance"]
    kubernetes = first.directives[3]
    assert kubernetes.args == ("cluster.local", "in-addr.arpa", "ip6.arpa")
    assert [(line.name, line.args) for line in kubernetes.block] == [
        ("pods", ("insecure",)), ("fallthrough", ("in-addr.arpa", "ip6.arpa")), ("ttl", ("30",))]
    assert second.zones == (("example.org.", 1053), ("10.in-addr.arpa.", 53))
    assert second.directives[0].args == ("127.0.0.1",)
    assert second.directives[1].args == ("/etc/my hosts",)


@pytest.mark.parametrize("text", [FULL])
def test_the_shipped_file_can_be_set_up(text: str, tmp_path: Path) -> None:
    site = build_site(parse_corefile(text, environment={"ADDRESS": "127.0.0.1"}), Runtime(tmp_path / "Corefile"))

    assert site.chains.keys() == {("0.0.0.0", 53), ("127.0.0.1", 1053), ("127.0.0.1", 53)}
    assert site.lameduck_s == 5
    assert set(site.ready) == {"kubernetes"}


@pytest.mark.parametrize(("text", "message"), [
    pytest.param(". {\n  nonsense\n}", "f:2 - Error during parsing: Unknown directive 'nonsense'", id="unknown directive"),
    pytest.param(". {\n errors", "f:1 - Error during parsing: Unexpected EOF: a brace is not closed", id="open brace"),
    pytest.param("errors", "f:1 - Error during parsing: expected an opening brace after 'errors'", id="no block"),
    pytest.param("", "f - Error during parsing: no server block", id="empty"),
    pytest.param(". {\n import other\n}", "f:2 - Error during parsing: File to import not found: other", id="unknown snippet"),
    pytest.param("tls://. {\n}", "f:1 - Error during parsing: tls:// is not served here", id="other transport"),
    pytest.param(". {\n errors\n errors\n}", "plugin/errors: f:3 - Error during parsing: plugin can only be used once per server block",
                 id="twice"),
    pytest.param(". {\n kubernetes {\n  podz insecure\n }\n}", "plugin/kubernetes: f:2 - Error during parsing: unknown property 'podz'",
                 id="unknown property"),
    pytest.param(". {\n forward .\n}",
                 "plugin/forward: f:2 - Error during parsing: Wrong argument count or unexpected line ending after '.'",
                 id="too few arguments"),
    pytest.param(". {\n forward . dns.example.com\n}",
                 "plugin/forward: f:2 - Error during parsing: not an IP address or file: 'dns.example.com'", id="a name as upstream"),
    pytest.param(". {\n health {\n  lameduck soon\n }\n}", 'plugin/health: f:2 - Error during parsing: time: invalid duration "soon"',
                 id="no duration"),
    pytest.param(". {\n cache 0\n}", "plugin/cache: f:2 - Error during parsing: cache TTL can not be zero or negative: 0", id="no ttl"),
    pytest.param(". {\n}\n.:53 {\n}", "cannot serve dns://.:53 - it is already defined", id="the same zone twice"),
])
def test_wrong_files(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CorefileError) as caught:
        build_site(parse_corefile(text, "f"), Runtime(tmp_path / "f"))

    assert str(caught.value) == message


@pytest.mark.parametrize(("text", "seconds"), [("5s", 5), ("1m30s", 90), ("250ms", 0.25), ("30", 30), ("1h", 3600)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds
