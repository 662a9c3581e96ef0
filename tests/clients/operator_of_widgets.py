"""A small operator: `kopf run` executes it in a process of its own. Widgets are served by ConfigMaps of their name."""

from typing import Any

import kopf
import kubernetes

KUBE: Any = kubernetes


@kopf.on.startup()
def log_in(settings: kopf.OperatorSettings, **_: Any) -> None:
    KUBE.config.load_kube_config()
    settings.posting.level = 20
    settings.watching.server_timeout = 30
    settings.persistence.finalizer = "widgets.example.com/finalizer"


@kopf.on.create("widgets")
def created(spec: Any, name: str, namespace: Any, body: Any, **_: Any) -> dict[str, Any]:
    made = {"metadata": {"name": name}, "data": {"size": str(spec["size"])}}
    kopf.adopt(made, owner=body)
    KUBE.client.CoreV1Api().create_namespaced_config_map(namespace, made)
    kopf.event(body, type="Normal", reason="Served", message=f"a ConfigMap for size {spec['size']}")
    return {"size": spec["size"]}


@kopf.on.update("widgets", field="spec.size")
def resized(old: Any, new: Any, name: str, namespace: Any, patch: Any, **_: Any) -> None:
    KUBE.client.CoreV1Api().patch_namespaced_config_map(name, namespace, {"data": {"size": str(new)}})
    patch.status["resized"] = f"from {old} to {new}"


@kopf.on.delete("widgets")
def deleted(name: str, namespace: Any, **_: Any) -> None:
    KUBE.client.CoreV1Api().create_namespaced_config_map(namespace, {"metadata": {"name": f"{name}-was-here"}})


@kopf.timer("widgets", interval=0.5)
def ticked(patch: Any, status: Any, **_: Any) -> None:
    patch.status["ticks"] = status.get("ticks", 0) + 1
