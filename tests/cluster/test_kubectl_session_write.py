"""kubectl's ways to change what is there, with the oldest and the newest kubectl."""

from __future__ import annotations

import functools
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from launcher.testing.cluster import eventually
from tests.support.session import Session
from tests.support.space import config_map, deployment, pod


def text(*objects: Any) -> str:
    return "\n".join(json.dumps(one) for one in objects)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder over HTTP on loopback."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@pytest.mark.req("KCT-01")
def test_apply_create_and_delete_from_files_and_urls(session: Session, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text(text(config_map("c", a="1")))
    (tmp_path / "more.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n---\n"
                                        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\n")
    file = tmp_path / "c.json"

    assert session.says(f"apply -f {file}") == "configmap/c created\n"
    assert session.says(f"apply -f {file}") == "configmap/c unchanged\n"
    file.write_text(text(config_map("c", a="2")))
    assert session.says(f"apply -f {file}") == "configmap/c configured\n"
    assert session.says(f"delete -f {file}").startswith('configmap "c" deleted')
    assert session.says(f"create -f {file}") == "configmap/c created\n"
    assert 'configmaps "c" already exists' in session.fails(f"create -f {file}")
    with served(tmp_path) as url:
        assert session.says(f"apply -f {url}/more.yaml") == "configmap/one created\nconfigmap/two created\n"
        assert "404" in session.fails(f"apply -f {url}/nope.yaml")
        assert session.says(f"delete -f {url}/more.yaml").count("deleted") == 2
    assert session.says(f"apply -R -f {tmp_path}").count("\n") == 3
    # An en dash, as word processors make one of a hyphen, is no flag.
    for line in (f"apply –f {file}", f"create –f {file}", f"get pods –n {session.namespace}"):
        assert session.fails(line)


def test_apply_knows_the_last_manifest(session: Session) -> None:
    session.says("apply -f -", text(config_map("c", a="1", b="1")))

    assert session.says("apply view-last-applied cm/c -o json").count('"a": "1"') == 1
    assert session.says("apply set-last-applied -f -", text(config_map("c", a="old"))) == "configmap/c configured\n"
    assert "a: old" in session.says("apply view-last-applied cm c")
    assert session.says("apply edit-last-applied cm c", EDITOR="sed -i s/old/new/") == "configmap/c edited\n"
    assert session.get("configmap", "c")["data"] == {"a": "1", "b": "1"}
    # What the annotation no longer holds, apply no longer takes away.
    assert session.says("apply -f -", text(config_map("c", a="7"))) == "configmap/c configured\n"
    assert session.get("configmap", "c")["data"] == {"a": "7", "b": "1"}


def test_apply_on_the_server_and_pruning(session: Session) -> None:
    labelled = [{**config_map(name, a="1"), "metadata": {"name": name, "labels": {"set": "x"}}} for name in ("one", "two")]
    allowed = "--prune-allowlist=core/v1/ConfigMap" if session.minor >= 26 else "--prune-whitelist=core/v1/ConfigMap"

    assert session.says("apply --server-side --field-manager=me -f -", text(config_map("c", a="1"))) == "configmap/c serverside-applied\n"
    conflict = session.fails("apply --server-side --field-manager=you -f -", text(config_map("c", a="2")))
    assert conflict.startswith('error: Apply failed with 1 conflict: conflict with "me": .data.a\n')
    forced = session.says("apply --server-side --field-manager=you --force-conflicts -f -", text(config_map("c", a="2")))
    assert forced == "configmap/c serverside-applied\n"
    assert session.says("apply -f -", text(*labelled)) == "configmap/one created\nconfigmap/two created\n"
    pruned = session.says(f"apply --prune -l set=x {allowed} -f -", text(labelled[0]))
    assert pruned == "configmap/one unchanged\nconfigmap/two pruned\n"


def test_diff_edit_and_replace(session: Session, tmp_path: Path) -> None:
    session.create(config_map("c", a="1", word="old"), deployment("d", replicas=0))

    assert session.tried("diff", "-f", "-", stdin=text(config_map("c", a="1", word="old"))).returncode == 0
    other = session.tried("diff", "-f", "-", stdin=text(config_map("c", a="2", word="old")))
    assert (other.returncode, '-  a: "1"\n+  a: "2"' in other.stdout) == (1, True)
    assert session.tried("edit", "cm", "c", environment={"EDITOR": "true"}).stderr == "Edit cancelled, no changes made.\n"
    assert session.says("edit cm c", EDITOR="sed -i s/old/new/") == "configmap/c edited\n"
    for editor in ("sed -i s/replicas:.0/replicas:\\ -1/", "sed -i s/replicas:.0/replicas:\\ many/"):
        refused = session.tried("edit", "deployment", "d", environment={"EDITOR": editor})
        assert refused.returncode == 1
        assert 'error: deployments.apps "d" is invalid' in refused.stderr
        assert "Edit cancelled, no valid changes were saved." in refused.stderr
    assert session.says("replace -f -", text(config_map("c", a="3"))) == "configmap/c replaced\n"
    assert 'configmaps "nope" not found' in session.fails("replace -f -", text(config_map("nope")))
    uid = session.get("configmap", "c")["metadata"]["uid"]
    assert session.says("replace --force -f -", text(config_map("c", a="4"))).endswith("configmap/c replaced\n")
    assert session.get("configmap", "c")["metadata"]["uid"] != uid


def test_patches(session: Session) -> None:
    session.create(config_map("c", a="1"), deployment("d", replicas=0))

    assert session.says("""patch cm c -p '{"data":{"b":"2"}}'""") == "configmap/c patched\n"
    assert session.says("""patch cm c -p '{"data":{"b":"2"}}'""") == "configmap/c patched (no change)\n"
    assert session.says("""patch cm c --type=merge -p '{"data":{"b":null}}'""") == "configmap/c patched\n"
    assert session.says("""patch cm c --type=json -p '[{"op":"add","path":"/data/z","value":"5"}]'""") == "configmap/c patched\n"
    assert session.get("configmap", "c")["data"] == {"a": "1", "z": "5"}
    assert session.says("""patch deploy d --subresource=scale --type=merge -p '{"spec":{"replicas":1}}'""").endswith("/d patched\n")
    status = """patch deploy d --subresource=status --type=merge -p '{"status":{"conditions":[]}}'"""
    assert session.says(status).startswith("deployment.apps/d patched")
    assert session.table("get deploy d --subresource=scale")[0][:2] == ["d", "1"]
    assert "the server rejected our request due to an error in our request" in session.fails(
        """patch cm c --type=json -p '[{"op":"remove","path":"/data/nope"}]'""")
    assert 'patch: Invalid value: "map[data:5]": cannot restore map from int64' in session.fails("""patch cm c -p '{"data":5}'""")


def test_labels_and_annotations(session: Session) -> None:
    session.create(config_map("c"), config_map("other"))

    assert session.says("label cm c x=y") == "configmap/c labeled\n"
    assert "--overwrite is false" in session.fails("label cm c x=z")
    assert session.says("label cm c x=z --overwrite") == "configmap/c labeled\n"
    assert session.says("label cm c x-") == "configmap/c unlabeled\n"
    assert sorted(session.says("label cm c other k=v").splitlines()) == ["configmap/c labeled", "configmap/other labeled"]
    assert 'invalid label value: "a=b c"' in session.fails("label cm c 'a=b c'")
    assert session.says("annotate cm c note='some text'").startswith("configmap/c annotate")
    assert session.says("annotate cm c --list").endswith("note=some text\n")
    assert session.says("annotate cm c note-").startswith("configmap/c annotate")      # some print "annotate", others "annotated"
    assert session.says("annotate cm -l k=v a=b --dry-run=server").count("(server dry run)") == 2


def test_set(session: Session) -> None:
    session.create(deployment("d", replicas=0), config_map("c", key="v"))
    session.says("create service clusterip s --tcp=80")
    session.says("create rolebinding rb --clusterrole=view --user=u")

    assert session.says("set image deploy/d main=nginx:1") == "deployment.apps/d image updated\n"
    assert 'unable to find container named "nope"' in session.fails("set image deploy/d nope=nginx:1")
    assert session.says("set env deploy/d A=B") == "deployment.apps/d env updated\n"
    assert session.says("set env deploy/d --list") == "# Deployment d, container main\nA=B\n"
    assert session.says("set env deploy/d --from=configmap/c A-") == "deployment.apps/d env updated\n"
    resources = session.says("set resources deploy d --limits=cpu=200m --requests=cpu=100m")
    assert resources == "deployment.apps/d resource requirements updated\n"
    assert session.says("set serviceaccount deploy d robot") == "deployment.apps/d serviceaccount updated\n"
    assert session.says("set selector svc s role=x") == "service/s selector updated\n"
    assert session.says("set subject rolebinding rb --group=g") == "rolebinding.rbac.authorization.k8s.io/rb subjects updated\n"

    spec = session.get("deployment", "d")["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == "robot"
    assert spec["containers"][0]["image"] == "nginx:1"
    assert spec["containers"][0]["env"] == [{"name": "KEY", "valueFrom": {"configMapKeyRef": {"key": "key", "name": "c"}}}]
    assert spec["containers"][0]["resources"] == {"limits": {"cpu": "200m"}, "requests": {"cpu": "100m"}}
    assert session.get("service", "s")["spec"]["selector"] == {"role": "x"}
    assert session.table("get rolebinding rb -o wide")[0][3:5] == ["u", "g"]


def test_scale_autoscale_and_expose(session: Session) -> None:
    session.create(deployment("d", replicas=0), config_map("c"))

    assert session.says("scale deploy d --replicas=1") == "deployment.apps/d scaled\n"
    assert "Expected replicas to be 5, was 1" in session.fails("scale deploy d --current-replicas=5 --replicas=2")
    assert "could not find the requested resource" in session.fails("scale cm c --replicas=1")
    assert session.says("autoscale deploy d --min=1 --max=3 --cpu-percent=50") == "horizontalpodautoscaler.autoscaling/d autoscaled\n"
    assert session.table("get hpa")[0][:2] == ["d", "Deployment/d"]
    assert session.get("hpa", "d")["spec"]["maxReplicas"] == 3
    assert session.says("expose deploy d --port=80 --target-port=8080 --name=e --type=NodePort") == "service/e exposed\n"
    assert session.says("expose svc e --name=f --port=81 --session-affinity=ClientIP") == "service/f exposed\n"
    assert session.get("service", "f")["spec"]["selector"] == {"app": "d"}
    assert "couldn't find port via --port flag or introspection" in session.fails("expose deploy d")
    assert "cannot expose a ConfigMap" in session.fails("expose cm c --port=1")


@pytest.mark.req("KCT-07")
def test_rollouts(session: Session) -> None:
    session.create(deployment("d"))

    assert session.says("rollout status deploy/d --timeout=120s").endswith('deployment "d" successfully rolled out\n')
    assert session.says("set image deploy/d main=busybox:other") == "deployment.apps/d image updated\n"
    assert session.says("rollout pause deploy/d") == "deployment.apps/d paused\n"
    assert "already paused" in session.fails("rollout pause deploy/d")
    assert session.says("rollout resume deploy/d") == "deployment.apps/d resumed\n"
    assert eventually(lambda: len(session.says("rollout history deploy/d").splitlines()) >= 4)
    assert "Image:\tbusybox:other" in session.says("rollout history deploy/d --revision=2")
    assert session.says("rollout undo deploy/d") == "deployment.apps/d rolled back\n"
    assert session.says("rollout restart deploy/d") == "deployment.apps/d restarted\n"
    session.says("rollout status deploy/d --timeout=120s")
    assert "exceeded" not in session.says("get deploy d -o jsonpath={.status.conditions}")
    assert "unable to find the specified revision" in session.fails("rollout history deploy/d --revision=99")


def test_run_and_wait(session: Session) -> None:
    assert session.says("run p --image=busybox --labels=a=b --env=A=B --restart=Never --command -- sleep 600") == "pod/p created\n"
    assert session.says("wait --for=condition=Ready pod/p --timeout=120s") == "pod/p condition met\n"
    assert session.says("wait --for=jsonpath='{.status.phase}'=Running pod -l a=b --timeout=120s") == "pod/p condition met\n"
    assert "timed out waiting for the condition" in session.fails("wait --for=condition=Nope pod/p --timeout=1s")
    assert session.fails("wait --for=condition=Ready pod/nope --timeout=1s") == 'Error from server (NotFound): pods "nope" not found\n'
    once = session.says("run once --image=busybox --restart=Never --rm -i --quiet -- sh -c 'read line; echo heard $line'", "this\n")
    assert once.startswith("heard this\n")
    named = """run q --image=busybox --overrides='{"spec":{"hostname":"h"}}' --dry-run=server -o jsonpath={.spec.hostname}"""
    assert session.says(named) == "h"
    assert session.says("run e --image=busybox --expose --port=80 --dry-run=server") == (
        "service/e created (server dry run)\npod/e created (server dry run)\n")
    if session.minor >= 31:
        assert session.says("wait --for=create pod/p --timeout=120s") == "pod/p condition met\n"
    assert session.says("delete pod p --now --wait=false").startswith('pod "p" deleted')
    assert session.tried("wait", "--for=delete", "pod/p", "--timeout=120s").returncode == 0


def test_delete(session: Session) -> None:
    session.create(deployment("orphans"), deployment("foreground"), *(config_map(name) for name in "abc"), pod("p"))
    session.says("rollout status deploy/orphans --timeout=120s")
    session.says("rollout status deploy/foreground --timeout=120s")

    assert session.says("delete deploy orphans --cascade=orphan").startswith('deployment.apps "orphans" deleted')
    assert session.says("delete deploy foreground --cascade=foreground --timeout=120s").startswith('deployment.apps "foreground" deleted')
    assert session.says("get rs -o name").startswith("replicaset.apps/orphans-")
    assert "ownerReferences" not in session.items("rs")[0]["metadata"]
    assert session.says("delete rs --all --cascade=background").startswith('replicaset.apps "orphans-')
    assert session.tried("delete", "pod", "p", "--grace-period=0", "--force").stdout.startswith('pod "p" force deleted')
    assert session.says("delete cm a --dry-run=server").startswith('configmap "a" deleted')
    assert session.says("delete cm a b").count("deleted") == 2
    assert session.fails("delete cm a") == 'Error from server (NotFound): configmaps "a" not found\n'
    assert session.says("delete cm a --ignore-not-found") == ""
    assert session.says("delete cm -l nothing=here") == "No resources found\n"
    assert session.says("delete cm c --wait=false -o name") == "configmap/c\n"
    assert "resource(s) were provided, but no name was specified" in session.fails("delete cm")
    eventually(lambda: session.says("get pods -o name") == "")
