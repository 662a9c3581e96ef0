"""Requests that schemathesis makes from an apiserver's own OpenAPI v3 documents, sent until a time is over; what must not be is told.

Most of what a schema alone gives is refused at the door (a name that is none, a kind that is not the endpoint's). So each case is bent:
names that exist, and valid objects of which parts are replaced by what schemathesis made. All chance comes from one seed.
"""

from __future__ import annotations

import contextlib
import copy
import http.client
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.support.apiserver import RunningApiserver
from tests.support.fuzz_samples import SAMPLES

NAMESPACE: Final = "fuzz"
NAMES: Final = ("a", "a", "a", "b")
PATIENCE_S: Final = 30.0
# Webhooks and other servers are no use to anybody but in the way of what comes after.
_ONLY_DRY: Final = frozenset({"admissionregistration.k8s.io", "apiregistration.k8s.io"})
_MODES: Final = (GenerationMode.POSITIVE, GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
# What upstream answers with 5xx, too: a version of the future, and configurations to apply that the schema does not know.
_UPSTREAMS: Final = ("Too large resource version", "failed to create typed patch object", "failed to decode managed fields")
_EACH: Final = 4      # from one strategy, which costs more to make than to draw from
_OPS: Final = ("add", "replace", "remove", "test", "copy", "move")

http.client._MAXHEADERS = 1000  # type: ignore[attr-defined]  # of an answer: each unknown field is a Warning


class Target(NamedTuple):
    """An operation of a document, and what it is about."""

    operation: Any
    group: str
    plural: str
    kind: str

    @property
    def label(self) -> str:
        return str(self.operation.label)


@dataclass
class Findings:
    """`faults`: answers and silences that must not be, each with the request that led to it."""

    sent: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)


class Fuzzer:
    def __init__(self, server: RunningApiserver, seed_: int) -> None:
        self._url = server.url
        self._seed = seed_
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = server.admin.ca_file
        self._session.cert = (server.admin.cert_file, server.admin.key_file)
        self.found = Findings()
        self._targets: list[Target] = []

    def run(self, for_s: float) -> Findings:
        """Rounds through all operations, in an order of the seed's, until the time is over."""
        self._seed_objects()
        self._targets = self._targets or list(self._read_targets())
        targets, number, end = list(self._targets), 0, time.monotonic() + for_s
        while True:
            random.Random(f"{self._seed} {number}").shuffle(targets)
            for target in targets:
                if time.monotonic() > end:
                    return self.found
                self._attack(target, number)
            number += 1
            self._seed_objects()

    def clean_up(self) -> None:
        """Deletes what was made, as far as finalizers let it go."""
        for document in self._index():
            base = f"{self._url}/{document}"
            for row in self._session.get(base, timeout=PATIENCE_S).json().get("resources", ()):
                if "/" in row["name"] or "deletecollection" not in row["verbs"] or row["name"] == "namespaces":
                    continue
                where = f"/namespaces/{NAMESPACE}" if row["namespaced"] else ""
                selector = {} if row["namespaced"] else {"fieldSelector": "metadata.name=a"}
                for name in NAMES[2:]:
                    patch = {"metadata": {"finalizers": None}}
                    self._session.patch(
                        f"{base}{where}/{row['name']}/{name}", data=json.dumps(patch), timeout=PATIENCE_S,
                        headers={"Content-Type": "application/merge-patch+json"})
                self._session.delete(f"{base}{where}/{row['name']}", params={**selector, "gracePeriodSeconds": "0"}, timeout=PATIENCE_S)

    def _index(self) -> list[str]:
        """Paths of group versions: api/v1, apis/apps/v1."""
        paths = self._session.get(f"{self._url}/openapi/v3", timeout=PATIENCE_S).json()["paths"]
        return [path for path in paths if path.count("/") == (1 if path.startswith("api/") else 2)]

    def _seed_objects(self) -> None:
        self._session.post(f"{self._url}/api/v1/namespaces", json={"metadata": {"name": NAMESPACE}}, timeout=PATIENCE_S)
        for document in self._index():
            group = document.split("/")[1] if document.startswith("apis/") else ""
            for row in self._session.get(f"{self._url}/{document}", timeout=PATIENCE_S).json().get("resources", ()):
                if (sample := SAMPLES.get(f"{row['name']}.{group}")) is not None and "create" in row["verbs"]:
                    where = f"/namespaces/{NAMESPACE}" if row["namespaced"] else ""
                    name = "as.fuzz.example.com" if row["kind"] == "CustomResourceDefinition" else "a"
                    body = {"metadata": {"name": name}, **copy.deepcopy(sample)}
                    self._session.post(f"{self._url}/{document}{where}/{row['name']}", json=body, timeout=PATIENCE_S)

    def _read_targets(self) -> Iterator[Target]:
        for document in self._index():
            text = self._session.get(f"{self._url}/openapi/v3/{document}", timeout=PATIENCE_S).text
            text = text.replace('"*/*":', '"application/json":')      # else bodies come as images and forms
            results: Any = schemathesis.openapi.from_dict(json.loads(text)).get_all_operations()
            for result in results:
                operation = result.ok()
                if "/watch/" in operation.path or operation.path.endswith(("/proxy", "/proxy/{path}")):
                    continue
                raw = operation.definition.raw
                gvk = raw.get("x-kubernetes-group-version-kind") or {}
                steps = operation.path.removeprefix(f"/{document}").removeprefix("/namespaces/{namespace}/").strip("/").split("/")
                yield Target(operation, gvk.get("group", ""), steps[0], gvk.get("kind", ""))

    def _attack(self, target: Target, number: int) -> None:
        dice = random.Random(f"{self._seed} {number} {target.label}")
        strategy = target.operation.as_strategy(generation_mode=dice.choice(_MODES))

        def send(case: Any) -> None:
            self._send(target, case, dice)

        given_case: Any = given(strategy)
        limits = settings(
            max_examples=_EACH, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
        with contextlib.suppress(Unsatisfiable):      # nothing that its schema forbids can be said in it
            seed(dice.getrandbits(32))(limits(given_case(send)))()

    def _send(self, target: Target, case: Any, dice: random.Random) -> None:
        bend(target, case, dice)
        arguments = case.as_transport_kwargs(base_url=self._url)
        arguments["timeout"] = PATIENCE_S
        try:
            answer = self._session.request(**arguments)
        except requests.Timeout:
            self._fault(f"silence {target.label}", arguments, "")
            return
        except (requests.RequestException, UnicodeError, ValueError) as error:      # what HTTP cannot say was not sent
            if isinstance(error, requests.ConnectionError):
                self._fault(f"hung up {target.label}", arguments, str(error))
            return
        self.found.sent += 1
        self.found.codes[answer.status_code] += 1
        if answer.status_code >= 500 and not any(words in answer.text for words in _UPSTREAMS):
            self._fault(f"{answer.status_code} {target.label}", arguments, answer.text)
        elif answer.status_code >= 400 and not _is_status(answer):
            self._fault(f"no Status {target.label}", arguments, answer.text)

    def _fault(self, what: str, arguments: dict[str, Any], answer: str) -> None:
        asked = {key: arguments.get(key) for key in ("method", "url", "params", "headers", "json", "data")}
        self.found.faults.setdefault(what, f"{str(asked)[:4000]}\n-> {answer[:1000]}")


def _is_status(answer: Any) -> bool:
    if answer.status_code == 404 and answer.text == "404 page not found\n":
        return True      # nothing of that group is served, since its definition was deleted
    try:
        body = answer.json()
    except ValueError:
        return False
    return bool(body.get("kind") == "Status" and body.get("code") == answer.status_code and body.get("message"))


def bend(target: Target, case: Any, dice: random.Random) -> None:
    """Existing names, another kind of body: in place."""
    for key in case.path_parameters or {}:
        if dice.random() < 0.9:
            case.path_parameters[key] = NAMESPACE if key == "namespace" else dice.choice(NAMES)
    if target.kind == "CustomResourceDefinition" and "name" in (case.path_parameters or {}) and dice.random() < 0.8:
        case.path_parameters["name"] = "as.fuzz.example.com"
    query = case.query if isinstance(case.query, dict) else {}
    query.pop("follow", None)
    if query.pop("watch", None) and dice.random() < 0.2:
        query |= {"watch": "true", "timeoutSeconds": "1"}
    if target.group in _ONLY_DRY and case.method.upper() != "GET":
        query["dryRun"] = "All"
    if isinstance(case.body, dict) and case.method.upper() in ("POST", "PUT", "PATCH") and dice.random() < 0.8:
        case.body = _bent_body(target, case, dice)


def _bent_body(target: Target, case: Any, dice: random.Random) -> Any:
    body: dict[str, Any] = {key: value for key, value in case.body.items() if key not in ("apiVersion", "kind", "metadata")}
    held = case.body.get("metadata")
    metadata = {**held} if isinstance(held, dict) and dice.random() < 0.3 else {}
    metadata["name"] = (case.path_parameters or {}).get("name") or dice.choice(NAMES)
    sample = SAMPLES.get(f"{target.plural}.{target.group}")
    if sample is not None and dice.random() < 0.8:
        body = mixed(copy.deepcopy(sample), body, dice)
    if case.media_type == "application/json-patch+json":
        return operations(body, dice)
    if case.media_type == "application/apply-patch+yaml":
        version = case.operation.path.split("/")[2 if target.group == "" else 3]
        body |= {"apiVersion": f"{target.group}/{version}".strip("/"), "kind": target.kind}
        case.query = {**(case.query or {}), "fieldManager": dice.choice(NAMES), "force": "true"}
    return {**body, "metadata": metadata}


def mixed(base: Any, new: Any, dice: random.Random) -> Any:
    """`base` with some of its parts, at any depth, replaced by those of `new`."""
    if isinstance(base, dict) and isinstance(new, dict):
        for key, value in new.items():
            if key in base and dice.random() < 0.8:
                base[key] = mixed(base[key], value, dice)
            elif dice.random() < 0.25:
                base[key] = value
        return base
    if isinstance(base, list) and isinstance(new, list) and base and new and dice.random() < 0.8:
        return [mixed(base[0], new[0], dice), *base[1:], *new[1:]]
    return new if dice.random() < 0.3 else base


def operations(body: Any, dice: random.Random) -> list[dict[str, Any]]:
    """A JSON patch whose paths may be there."""
    paths = ["", "/", "/metadata/labels", "/metadata/name", *_paths(body, "")]
    values: tuple[Any, ...] = (None, 1, "x", {}, [], body)
    return [
        {"op": dice.choice(_OPS), "path": dice.choice(paths), "from": dice.choice(paths), "value": dice.choice(values)}
        for _ in range(dice.randrange(1, 5))
    ]


def _paths(value: Any, at: str) -> Iterator[str]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        path = f"{at}/{str(key).replace('~', '~0').replace('/', '~1')}"
        yield path
        yield from _paths(child, path)
        if isinstance(value, list):
            yield f"{at}/-"
