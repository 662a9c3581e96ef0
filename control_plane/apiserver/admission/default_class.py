"""What the plugins have in common that give an object without a class the default one."""

from __future__ import annotations

from typing import ClassVar

from control_plane.apiserver.admission.lookup import annotations_of, newest_default, row_of
from control_plane.apiserver.admission.plugin import AdmissionContext, AdmissionRequest, Operation
from kube.apimachinery.scheme import GroupResource


class DefaultClass:
    """`field` of the spec names the class; `former_annotation` did so before there was that field."""

    name: ClassVar[str]
    resources: ClassVar[frozenset[GroupResource]]
    classes: ClassVar[GroupResource]
    field: ClassVar[str]
    former_annotation: ClassVar[str]
    default_annotations: ClassVar[tuple[str, ...]]      # of the class that is the default

    def __init__(self, context: AdmissionContext) -> None:
        self._cache = context.cache
        self._classes = row_of(self.classes.group, self.classes.resource)

    def handles(self, operation: Operation) -> bool:
        return operation is Operation.CREATE

    async def admit(self, request: AdmissionRequest) -> None:
        if request.obj is None or request.subresource:
            return
        spec = request.obj.setdefault("spec", {})
        # The empty name is a choice: no class at all.
        if spec.get(self.field) is not None or self.former_annotation in annotations_of(request.obj):
            return
        if default := newest_default(self._cache, self._classes, *self.default_annotations):
            spec[self.field] = default
