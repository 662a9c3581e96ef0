"""The real kubectl on custom kinds, against an apiserver over a real etcd."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.apiserver import Kubectl, running_apiserver
from tests.support.custom_kinds import GROUP, SCALE, definition, version

pytestmark = [pytest.mark.etcd, pytest.mark.asyncio(loop_scope="module")]

CRON_TAB = f"""
apiVersion: {GROUP}/v1
kind: CronTab
metadata: {{name: a}}
spec: {{cronSpec: "* * * * *", image: first}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kubectl(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kubectl]:
    async with running_apiserver(tmp_path_factory.mktemp("kubectl")) as server:
        kubectl = Kubectl(server.kubeconfig())
        columns = [{"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"},
                   {"name": "Image", "type": "string", "jsonPath": ".spec.image", "priority": 1},
                   {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]
        crd = definition("crontabs", "CronTab", version(subresources={"status": {}, "scale": SCALE}, additionalPrinterColumns=columns),
                         names={"shortNames": ["ct"], "categories": ["all"]})
        await kubectl("apply", "-f", "-", stdin=json.dumps(crd))
        await kubectl("wait", "--for=condition=Established", f"crd/crontabs.{GROUP}", "--timeout=10s")
        await kubectl("apply", "-f", "-", stdin=CRON_TAB)
        yield kubectl


async def test_get_shows_the_columns(kubectl: Kubectl) -> None:
    narrow = (await kubectl("get", "ct")).splitlines()
    wide = (await kubectl("get", "crontabs", "-o", "wide")).splitlines()
    everything = await kubectl("get", "all")

    assert narrow[0].split() == ["NAME", "SPEC", "AGE"]
    assert wide[0].split() == ["NAME", "SPEC", "IMAGE", "AGE"]
    assert narrow[1].startswith("a ") and "* * * * *" in narrow[1]
    assert f"crontab.{GROUP}/a" in everything


async def test_explain_knows_the_fields(kubectl: Kubectl) -> None:
    text = await kubectl("explain", "crontab.spec")
    tree = await kubectl("explain", "crontab", "--recursive")

    assert "cronSpec\t<string> -required-\n    When it runs." in text
    assert "replicas\t<integer>" in text
    assert "ownerReferences\t<[]OwnerReference>" in tree


@pytest.mark.req("RES-01")
async def test_api_resources_lists_the_kind(kubectl: Kubectl) -> None:
    rows = await kubectl("api-resources", f"--api-group={GROUP}", "--no-headers")

    assert rows.split() == ["crontabs", "ct", f"{GROUP}/v1", "true", "CronTab"]
    assert f"{GROUP}/v1" in (await kubectl("api-versions")).split()


async def test_apply_changes_and_refuses(kubectl: Kubectl) -> None:
    unchanged = await kubectl("apply", "-f", "-", stdin=CRON_TAB)
    unknown = await kubectl("apply", "-f", "-", stdin=CRON_TAB.replace("image", "imaeg"), fails=True)
    wrong = await kubectl("apply", "-f", "-", stdin=CRON_TAB.replace("first", "5"), fails=True)

    assert "unchanged" in unchanged
    assert 'strict decoding error: unknown field "spec.imaeg"' in unknown
    assert 'spec.image: Invalid value: "integer": spec.image in body must be of type string: "integer"' in wrong


async def test_server_side_apply_owns_fields(kubectl: Kubectl) -> None:
    await kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", stdin=CRON_TAB.replace("name: a", "name: owned"))

    refused = await kubectl(
        "apply", "--server-side", "--field-manager=two", "-f", "-",
        stdin=CRON_TAB.replace("name: a", "name: owned").replace("first", "second"), fails=True)

    assert 'conflict with "one": .spec.image' in refused


async def test_scale_label_and_patch(kubectl: Kubectl) -> None:
    await kubectl("scale", "--replicas=4", "crontab/a")
    await kubectl("label", "ct", "a", "colour=red")
    await kubectl("patch", "ct", "a", "--type=json", "-p", '[{"op":"replace","path":"/spec/image","value":"patched"}]')

    held = json.loads(await kubectl("get", "ct", "-l", "colour=red", "-o", "json"))["items"][0]
    assert (held["spec"]["replicas"], held["spec"]["image"]) == (4, "patched")


async def test_a_definition_with_faults_is_refused_in_full(kubectl: Kubectl) -> None:
    schema = {"type": "object", "properties": {"spec": {"properties": {"list": {"type": "array"}}}}}

    said = await kubectl("create", "-f", "-", stdin=json.dumps(definition("bads", "Bad", version(schema=schema))), fails=True)

    path = "spec.validation.openAPIV3Schema.properties[spec]"
    assert f"{path}.type: Required value: must not be empty for specified object fields" in said
    assert f"{path}.properties[list].items: Required value: must be specified" in said


async def test_deleting_the_definition_deletes_its_objects(kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=json.dumps(definition("tents", "Tent")))
    await kubectl("wait", "--for=condition=Established", f"crd/tents.{GROUP}", "--timeout=10s")
    await kubectl("apply", "-f", "-", stdin=CRON_TAB.replace("CronTab", "Tent"))

    await kubectl("delete", "crd", f"tents.{GROUP}", "--timeout=20s")

    assert "NotFound" in await kubectl("get", f"crd/tents.{GROUP}", fails=True)
