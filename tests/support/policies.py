"""Admission policies and bindings to send."""

from __future__ import annotations

from typing import Any

from tests.support.webhooks import rule

Json = dict[str, Any]
GROUP = "admissionregistration.k8s.io/v1"
BASE = f"/apis/{GROUP}"


def policy(name: str, *validations: Json | str, resources: tuple[str, ...] = ("configmaps",), rules: Any = None, **spec: Any) -> Json:
    """A ValidatingAdmissionPolicy; a validation that is a text is an expression."""
    made = [{"expression": one} if isinstance(one, str) else one for one in validations]
    match = {"resourceRules": rules or [rule(*resources)], **spec.pop("match", {})}
    return {
        "apiVersion": GROUP, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {"matchConstraints": match, **({"validations": made} if made else {}), **spec},
    }


def mutating(name: str, *mutations: Json, resources: tuple[str, ...] = ("configmaps",), **spec: Any) -> Json:
    match = {"resourceRules": [rule(*resources)], **spec.pop("match", {})}
    return {
        "apiVersion": GROUP, "kind": "MutatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {"matchConstraints": match, "reinvocationPolicy": "Never", "mutations": [*mutations], **spec},
    }


def applied(expression: str) -> Json:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patched(expression: str) -> Json:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


def binding(name: str, of: str, *actions: str, kind: str = "Validating", **spec: Any) -> Json:
    acts = {"validationActions": [*(actions or ("Deny",))]} if kind == "Validating" else {}
    return {
        "apiVersion": GROUP, "kind": f"{kind}AdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {"policyName": of, **acts, **spec},
    }


def param_ref(name: str = "", not_found: str = "Deny", **more: Any) -> Json:
    return {**({"name": name} if name else {}), "parameterNotFoundAction": not_found, **more}
