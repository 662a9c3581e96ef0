"""The cluster's DNS server: CoreDNS's configuration, plugins and answers.

app.py        start, reload, stop            corefile.py   the Corefile, read      plugins/     one plugin per file, setup and handler
site.py       Corefile -> chains, services   chain.py      plugin order, as data   kubernetes/  Services and EndpointSlices as records
server.py     UDP and TCP                    answer_cache.py  packed answers       manifests/   what the launcher applies
message.py    request, reply, failure        wire.py       bytes: EDNS, truncation, boundaries of records
http_page.py  health, ready, metrics pages   metrics.py    CoreDNS's counters      names.py     domain names as lower-case texts
"""
