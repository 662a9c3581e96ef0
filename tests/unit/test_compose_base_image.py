"""What the compose tests read before they make a base image: Dockerfiles, apt's targets, pip's settings."""

from __future__ import annotations

import pytest

from tests.compose.base_image import BaseImageError, apt_sources, base_names, pip_conf, suite_of

PUBLIC = "http://deb.debian.org/debian"


@pytest.mark.parametrize(("dockerfile", "names"), [
    pytest.param("FROM debian:bookworm-slim\nRUN true\n", ["debian:bookworm-slim"], id="one stage"),
    pytest.param("FROM debian:bookworm AS build\nFROM debian:bookworm\nCOPY --from=build /a /a\n", ["debian:bookworm"], id="named once"),
    pytest.param("FROM a:1 AS build\nFROM build\nFROM scratch\n", ["a:1"], id="its own stages"),
    pytest.param("  from --platform=linux/amd64 a:1 as b\n", ["a:1"], id="flags and small letters"),
    pytest.param("# FROM a:1\nRUN echo FROM b:1\n", [], id="only instructions"),
])
def test_base_names(dockerfile: str, names: list[str]) -> None:
    assert base_names(dockerfile) == names


def test_suite_of_an_image() -> None:
    assert [suite_of(name) for name in ("debian:bookworm-slim", "debian:trixie", "docker.io/library/debian:bookworm")] == [
        "bookworm", "trixie", "bookworm",
    ]


def test_an_image_that_is_not_debians_is_refused_by_name() -> None:
    with pytest.raises(BaseImageError, match=r"^alpine:3: "):
        suite_of("alpine:3")


@pytest.mark.parametrize(("targets", "sources"), [
    pytest.param("", [f"deb {PUBLIC} bookworm main"], id="no mirror known"),
    pytest.param(
        "http://m/security/ bookworm-security main\nhttp://m/debian/ bookworm main\nhttp://m/debian/ bookworm contrib\n",
        ["deb http://m/debian bookworm main", "deb http://m/security bookworm-security main"], id="the machine's, the suite first",
    ),
    pytest.param("http://m/debian/ trixie main\n", [f"deb {PUBLIC} bookworm main"], id="of another suite"),
])
def test_apt_sources(targets: str, sources: list[str]) -> None:
    assert apt_sources(targets, "bookworm") == sources


def test_pip_goes_the_machines_way() -> None:
    text = pip_conf({"PIP_INDEX_URL": "https://mirror.test/simple", "PIP_FIND_LINKS": "/wheels", "HOME": "/root"}, own_authorities=True)

    assert text == "[global]\nindex-url = https://mirror.test/simple\ncert = /etc/ssl/certs/ca-certificates.crt\n"


def test_pip_needs_no_file_where_the_machine_has_no_settings() -> None:
    assert pip_conf({"HOME": "/root"}, own_authorities=False) == ""
