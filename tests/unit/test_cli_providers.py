"""Which cluster a command is about, and that nobody asks an engine in vain."""

from __future__ import annotations

from typing import NoReturn

import pytest

from kube.process.config import ConfigError
from launcher.cli.providers import Finder
from launcher.cluster.namespaces_provider import component_and_node
from launcher.compose.provider_engine import EngineUnavailable


def never() -> NoReturn:
    raise AssertionError("the engine was asked")


def silent() -> list[str]:
    raise EngineUnavailable("Docker's engine does not answer")


def finder(*, namespaces: str = "", compose: str = "", hint: bool = True, variable: str = "") -> Finder:
    return Finder(
        namespaces_names=namespaces.split, compose_names=compose.split, compose_hint=lambda name: hint,
        environment={"KUBONSAI_PROVIDER": variable},
    )


@pytest.mark.parametrize(("namespaces", "compose", "kind"), [
    pytest.param("one", "", "namespaces", id="of namespaces"),
    pytest.param("", "one", "compose", id="of containers"),
    pytest.param("one", "one", "namespaces", id="namespaces first"),
    pytest.param("two", "three", "", id="neither"),
])
def test_a_cluster_that_is_there_is_found(namespaces: str, compose: str, kind: str) -> None:
    assert finder(namespaces=namespaces, compose=compose).find("one") == kind


def test_no_engine_is_asked_about_a_cluster_of_namespaces() -> None:
    chosen = Finder(namespaces_names=lambda: ["one"], compose_names=never, compose_hint=lambda name: True, environment={})

    assert chosen.existing("one") == "namespaces"
    assert chosen.for_up("one", None) == "namespaces"


def test_no_engine_is_asked_before_a_first_up() -> None:
    chosen = Finder(namespaces_names=list, compose_names=never, compose_hint=lambda name: False, environment={})

    assert chosen.for_up("one", None) == "namespaces"


@pytest.mark.parametrize(("asked", "variable", "there", "kind"), [
    pytest.param(None, "", "", "namespaces", id="nothing said"),
    pytest.param(None, "compose", "", "compose", id="by the variable"),
    pytest.param("namespaces", "compose", "", "namespaces", id="the flag before the variable"),
    pytest.param("compose", "", "", "compose", id="by the flag"),
    pytest.param(None, "", "compose", "compose", id="what is there is repaired"),
    pytest.param(None, "compose", "namespaces", "namespaces", id="what is there before the variable"),
    pytest.param("compose", "", "compose", "compose", id="both agree"),
])
def test_what_up_makes(asked: str | None, variable: str, there: str, kind: str) -> None:
    chosen = finder(variable=variable, namespaces="one" * (there == "namespaces"), compose="one" * (there == "compose"))

    assert chosen.for_up("one", asked) == kind


@pytest.mark.parametrize(("asked", "there"), [("compose", "namespaces"), ("namespaces", "compose")])
def test_a_name_that_the_other_kind_has_is_refused(asked: str, there: str) -> None:
    with pytest.raises(ConfigError, match=f"cluster 'one' is of provider {there}; run"):
        finder(namespaces="one" * (there == "namespaces"), compose="one" * (there == "compose")).for_up("one", asked)


def test_an_unknown_provider_is_refused() -> None:
    with pytest.raises(ConfigError, match="KUBONSAI_PROVIDER: must be one of namespaces, compose, got 'docker'"):
        finder(variable="docker").for_up("one", None)


def test_who_looks_for_a_cluster_is_told_which_there_are() -> None:
    with pytest.raises(ConfigError, match=r"^no cluster named 'one'; there are: a, b$"):
        finder(namespaces="a", compose="b").existing("one")


def test_who_looks_for_a_cluster_is_told_that_an_engine_was_silent() -> None:
    with pytest.raises(ConfigError, match=r"there is none; .* makes one. .Docker's engine does not answer"):
        Finder(namespaces_names=list, compose_names=silent, environment={}).existing("one")


def test_all_clusters_are_those_of_both_kinds() -> None:
    assert [(c.kind, c.name) for c in finder(namespaces="a", compose="b c").all_clusters()] == [
        ("namespaces", "a"), ("compose", "b"), ("compose", "c")]


def test_all_clusters_are_those_of_namespaces_when_no_engine_answers() -> None:
    found = Finder(namespaces_names=lambda: ["a"], compose_names=silent, environment={}).all_clusters()

    assert [c.name for c in found] == ["a"]


@pytest.mark.parametrize(("stem", "found"), [
    ("kubelet-node2", ("kubelet", "node2")), ("cloud-controller-manager-node1", ("cloud-controller-manager", "node1")),
    ("zygote", ("zygote", "")), ("a-nodeb", ("a-nodeb", "")),
])
def test_what_a_log_files_name_says(stem: str, found: tuple[str, str]) -> None:
    assert component_and_node(stem) == found
