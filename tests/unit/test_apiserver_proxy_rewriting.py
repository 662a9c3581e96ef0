"""What changes on a proxied request and on its answer. The cases of links are those of apimachinery's transport_test."""

from __future__ import annotations

import gzip
import time
import zlib

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from control_plane.apiserver.streaming.proxy.location import split_name
from control_plane.apiserver.streaming.proxy.rewriting import (
    Proxied,
    request_headers,
    response_headers,
    rewritten_html,
    rewritten_page,
    rewritten_url,
    target_path,
)
from kube.apimachinery.errors import BadRequest

PREFIX = "/proxy/node/node1:10250"
PROXIED = Proxied(PREFIX, "foo.com", "localhost:8001")


@pytest.mark.parametrize(("url", "seen"), [
    pytest.param("/whatever", PREFIX + "/whatever", id="from the root"),
    pytest.param("/whatever/", PREFIX + "/whatever/", id="a slash at the end stays"),
    pytest.param("/", PREFIX + "/", id="the root"),
    pytest.param("relative/x", "relative/x", id="relative"),
    pytest.param("", "", id="empty"),
    pytest.param("#top", "#top", id="a fragment"),
    pytest.param("http://foo.com/x?a=b#c", PREFIX + "/x?a=b#c", id="the backend's host"),
    pytest.param("http://localhost:8001/x", f"http://localhost:8001{PREFIX}/x", id="the host that the client asked"),
    pytest.param("http://google.com/x", "http://google.com/x", id="another host"),
    pytest.param("//google.com/x", "//google.com/x", id="another host, same scheme"),
    pytest.param(PREFIX + "/x", PREFIX + "/x", id="rewritten before"),
    pytest.param("http://[::1/", "http://[::1/", id="not a URL"),
    pytest.param("mailto:a@b.c", "mailto:a@b.c", id="mail"),
])
def test_links(url: str, seen: str) -> None:
    assert rewritten_url(url, PROXIED) == seen


@pytest.mark.parametrize(("page", "seen"), [
    pytest.param('<a href="/x">/x</a>', '<a href="P/x">/x</a>', id="attribute, not text"),
    pytest.param("<A HREF='/x'>", '<A HREF="P/x">', id="quotes, upper case"),
    pytest.param("<a class=b href=/x>", '<a class=b href="P/x">', id="no quotes"),
    pytest.param('<img src="/a" alt="/a" longdesc="/b"/>', '<img src="P/a" alt="/a" longdesc="P/b"/>', id="some attributes of a tag"),
    pytest.param('<a href="/x?a=1&amp;b=2">', '<a href="P/x?a=1&amp;b=2">', id="entities"),
    pytest.param('<b href="/x">', '<b href="/x">', id="a tag without links"),
    pytest.param('<!-- <a href="/x"> -->', '<!-- <a href="/x"> -->', id="comment"),
    pytest.param('<script src="/s">x="<a href=\'/x\'>"</script><a href="/y">',
                 '<script src="P/s">x="<a href=\'/x\'>"</script><a href="P/y">', id="script"),
    pytest.param('<a title="a > b" href="/x">', '<a title="a > b" href="P/x">', id="an angle in quotes"),
    pytest.param('a < b <a href="/x">', 'a < b <a href="P/x">', id="an angle that is no tag"),
    pytest.param('<a href="/x', '<a href="/x', id="cut"),
    pytest.param("<!-- open", "<!-- open", id="an open comment"),
    pytest.param("<script>open", "<script>open", id="an open script"),
])
def test_pages(page: str, seen: str) -> None:
    assert rewritten_html(page, lambda url: "P" + url) == seen


@pytest.mark.parametrize("page", ['<a "' * 200_000, "<a x=" * 200_000, "<!--" * 200_000, "<script>" * 200_000, "<" * 500_000])
def test_pages_made_to_be_slow_are_not(page: str) -> None:
    began = time.process_time()

    assert rewritten_html(page, str) == page
    assert time.process_time() - began < 3


def test_pages_keep_their_encoding() -> None:
    page, seen = '<a href="/x">ü</a>'.encode(), '<a href="P/x">ü</a>'.encode()
    packer = zlib.compressobj(wbits=-15)

    def rewrite(url: str) -> str:
        return "P" + url

    assert rewritten_page(page, "", rewrite) == seen
    assert gzip.decompress(rewritten_page(gzip.compress(page), "gzip", rewrite) or b"") == seen
    deflated = rewritten_page(packer.compress(page) + packer.flush(), "deflate", rewrite)
    assert zlib.decompress(deflated or b"", wbits=-15) == seen
    assert rewritten_page(b"not gzip", "gzip", rewrite) is None
    assert rewritten_page(gzip.compress(bytes(20_000_000)), "gzip", rewrite) is None
    assert rewritten_page(page, "br", rewrite) is None


def test_request_headers_are_the_clients_but_for_what_is_the_apiservers() -> None:
    headers = CIMultiDictProxy(CIMultiDict([
        ("Host", "h"), ("Authorization", "Bearer secret"), ("Impersonate-User", "x"), ("X-Remote-User", "y"),
        ("Connection", "close, X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "1"), ("Cookie", "a=b"), ("Accept", "x"),
        ("Accept", "y"), ("X-Forwarded-For", "1.1.1.1"),
    ]))

    assert sorted(request_headers(headers, "2.2.2.2").items()) == [
        ("Accept", "x"), ("Accept", "y"), ("Cookie", "a=b"), ("Host", "h"), ("X-Forwarded-For", "1.1.1.1, 2.2.2.2"),
    ]


def test_a_token_for_the_apiserver_goes_no_further() -> None:
    headers = CIMultiDictProxy(CIMultiDict({
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Protocol": "base64url.bearer.authorization.k8s.io.c2VjcmV0, chat",
    }))

    assert dict(request_headers(headers, "", upgrade=True)) == {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Protocol": "chat",
    }


def test_response_headers_are_the_backends() -> None:
    headers = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Transfer-Encoding", "chunked"), ("Access-Control-Allow-Origin", "*")]

    assert list(response_headers(headers, []).items()) == [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]


@pytest.mark.parametrize(("sub_path", "target"), [
    ("", ""), ("/", "/"), ("/a/b", "/a/b"), ("/a/b/", "/a/b/"), ("/a/../../b", "/b"), ("/a b/ü", "/a%20b/%C3%BC"), ("/a?b", "/a%3Fb"),
])
def test_paths(sub_path: str, target: str) -> None:
    assert target_path(sub_path) == target


@pytest.mark.parametrize(("text", "name"), [
    ("web", ("", "web", "")), ("web:80", ("", "web", "80")), ("https:web:80", ("https", "web", "80")), ("http:web:", ("http", "web", "")),
])
def test_names(text: str, name: tuple[str, str, str]) -> None:
    assert split_name("service", text) == name


@pytest.mark.parametrize("text", ["", ":80", "ftp:web:80", "a:b:c:d"])
def test_names_that_mean_nothing(text: str) -> None:
    with pytest.raises(BadRequest, match=f'invalid service request "{text}"'):
        split_name("service", text)
