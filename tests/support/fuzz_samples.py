"""One valid object of many kinds, by "plural.group": what fuzzing bends, so that it gets past the first check."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]

_POD: Final[Json] = {"containers": [{"name": "main", "image": "busybox", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}}]}
_LABELS: Final[Json] = {"matchLabels": {"app": "a"}}
_TEMPLATE: Final[Json] = {"metadata": {"labels": {"app": "a"}}, "spec": _POD}
_ONCE: Final[Json] = {**_TEMPLATE, "spec": {**_POD, "restartPolicy": "Never"}}
_CLAIM: Final[Json] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
_RULE: Final[Json] = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}
_SCHEMA: Final[Json] = {"type": "object", "properties": {"spec": {"type": "object", "properties": {
    "size": {"type": "integer", "minimum": 0, "default": 1}, "when": {"type": "string", "format": "duration"},
    "parts": {"type": "array", "maxItems": 9, "items": {"type": "string", "maxLength": 9},
              "x-kubernetes-validations": [{"rule": "self.all(x, x.size() < 9)"}]},
}}}}

SAMPLES: Final[dict[str, Json]] = {
    "configmaps.": {"data": {"a": "1"}, "binaryData": {"b": "AAE="}},
    "secrets.": {"type": "Opaque", "data": {"a": "AAE="}},
    "pods.": {"spec": _POD},
    "podtemplates.": {"template": _TEMPLATE},
    "services.": {"spec": {"selector": {"app": "a"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}},
    "endpoints.": {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]},
    "serviceaccounts.": {},
    "namespaces.": {},
    "nodes.": {"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}, "status": {"capacity": {"cpu": "2"}}},
    "events.": {"involvedObject": {"kind": "Pod", "namespace": "fuzz", "name": "a"}, "reason": "r", "message": "m", "type": "Normal"},
    "limitranges.": {"spec": {"limits": [{"type": "Container", "max": {"cpu": "4"}}]}},
    "resourcequotas.": {"spec": {"hard": {"pods": "1000"}}},
    "replicationcontrollers.": {"spec": {"replicas": 1, "selector": {"app": "a"}, "template": _TEMPLATE}},
    "persistentvolumes.": {"spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/tmp/x"}}},
    "persistentvolumeclaims.": {"spec": _CLAIM},
    "deployments.apps": {"spec": {"replicas": 1, "selector": _LABELS, "template": _TEMPLATE}},
    "replicasets.apps": {"spec": {"replicas": 1, "selector": _LABELS, "template": _TEMPLATE}},
    "daemonsets.apps": {"spec": {"selector": _LABELS, "template": _TEMPLATE}},
    "statefulsets.apps": {"spec": {"serviceName": "a", "selector": _LABELS, "template": _TEMPLATE,
                                   "volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": _CLAIM}]}},
    "controllerrevisions.apps": {"revision": 1, "data": {}},
    "jobs.batch": {"spec": {"template": _ONCE, "backoffLimit": 3}},
    "cronjobs.batch": {"spec": {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": _ONCE}}}},
    "horizontalpodautoscalers.autoscaling": {"spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}, "maxReplicas": 3}},
    "poddisruptionbudgets.policy": {"spec": {"minAvailable": 1, "selector": _LABELS}},
    "ingresses.networking.k8s.io": {"spec": {"rules": [{"host": "a.example.com", "http": {"paths": [
        {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "a", "port": {"number": 80}}}}]}}]}},
    "ingressclasses.networking.k8s.io": {"spec": {"controller": "example.com/x"}},
    "networkpolicies.networking.k8s.io": {"spec": {"podSelector": _LABELS, "ingress": [{"ports": [{"port": 80}]}]}},
    "roles.rbac.authorization.k8s.io": {"rules": [_RULE]},
    "clusterroles.rbac.authorization.k8s.io": {"rules": [_RULE]},
    "rolebindings.rbac.authorization.k8s.io": {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"}, "subjects": [{"kind": "User", "name": "u"}]},
    "clusterrolebindings.rbac.authorization.k8s.io": {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "a"}},
    "leases.coordination.k8s.io": {"spec": {"holderIdentity": "a", "leaseDurationSeconds": 5}},
    "endpointslices.discovery.k8s.io": {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]},
    "priorityclasses.scheduling.k8s.io": {"value": 5},
    "runtimeclasses.node.k8s.io": {"handler": "runc"},
    "storageclasses.storage.k8s.io": {"provisioner": "example.com/x"},
    "csidrivers.storage.k8s.io": {"spec": {"attachRequired": False}},
    "customresourcedefinitions.apiextensions.k8s.io": {"spec": {
        "group": "fuzz.example.com", "scope": "Namespaced", "names": {"plural": "as", "singular": "a", "kind": "A", "listKind": "AList"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": _SCHEMA}}]}},
    "flowschemas.flowcontrol.apiserver.k8s.io": {"spec": {
        "priorityLevelConfiguration": {"name": "global-default"}, "matchingPrecedence": 9000}},
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": {"spec": {"type": "Limited", "limited": {
        "nominalConcurrencyShares": 5, "limitResponse": {"type": "Reject"}}}},
    "subjectaccessreviews.authorization.k8s.io": {"spec": {"user": "u", "resourceAttributes": {"verb": "get", "resource": "pods"}}},
    "tokenreviews.authentication.k8s.io": {"spec": {"token": "x.y.z"}},
    "as.fuzz.example.com": {"spec": {"size": 3, "parts": ["a", "b"], "when": "3s"}},
}
