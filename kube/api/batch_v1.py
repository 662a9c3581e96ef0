# Generated for Kubernetes v1.37.0 by kube.apimachinery.codegen.structs; do not edit.

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from kube.apimachinery.scheme import GroupVersionKind
from kube.api.core_v1 import ObjectReference, PodTemplateSpec
from kube.api.meta_v1 import LabelSelector, ObjectMeta


class CronJobSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    concurrency_policy: str = ""
    failed_jobs_history_limit: int | None = None
    job_template: JobTemplateSpec | None = None
    schedule: str = ""
    starting_deadline_seconds: int | None = None
    successful_jobs_history_limit: int | None = None
    suspend: bool | None = None
    time_zone: str = ""


class CronJobStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    active: tuple[ObjectReference, ...] = ()
    last_schedule_time: str = ""
    last_successful_time: str = ""


class CronJob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("batch", "v1", "CronJob")

    api_version: str = msgspec.field(default_factory=lambda: "batch/v1")
    kind: str = msgspec.field(default_factory=lambda: "CronJob")
    metadata: ObjectMeta = ObjectMeta()
    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()


class JobSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    active_deadline_seconds: int | None = None
    backoff_limit: int | None = None
    backoff_limit_per_index: int | None = None
    completion_mode: str = ""
    completions: int | None = None
    managed_by: str = ""
    manual_selector: bool | None = None
    max_failed_indexes: int | None = None
    parallelism: int | None = None
    pod_failure_policy: PodFailurePolicy | None = None
    pod_replacement_policy: str = ""
    scheduling: JobSchedulingConfiguration | None = None
    selector: LabelSelector | None = None
    success_policy: SuccessPolicy | None = None
    suspend: bool | None = None
    template: PodTemplateSpec = PodTemplateSpec()
    ttl_seconds_after_finished: int | None = None


class JobStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    active: int | None = None
    completed_indexes: str = ""
    completion_time: str = ""
    conditions: tuple[JobCondition, ...] = ()
    failed: int | None = None
    failed_indexes: str = ""
    ready: int | None = None
    start_time: str = ""
    succeeded: int | None = None
    terminating: int | None = None
    uncounted_terminated_pods: UncountedTerminatedPods | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    GVK: ClassVar[GroupVersionKind] = GroupVersionKind("batch", "v1", "Job")

    api_version: str = msgspec.field(default_factory=lambda: "batch/v1")
    kind: str = msgspec.field(default_factory=lambda: "Job")
    metadata: ObjectMeta = ObjectMeta()
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class JobCondition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    last_probe_time: str = ""
    last_transition_time: str = ""
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class JobSchedulingConfiguration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    disruption_mode: Any = None
    resource_claims: tuple[Any, ...] = ()
    scheduling_constraints: Any = None
    scheduling_policy: Any = None


class JobTemplateSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    metadata: ObjectMeta = ObjectMeta()
    spec: JobSpec = JobSpec()


class PodFailurePolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    rules: tuple[PodFailurePolicyRule, ...] = ()


class PodFailurePolicyOnExitCodesRequirement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    container_name: str = ""
    operator: str = ""
    values: tuple[int, ...] = ()


class PodFailurePolicyOnPodConditionsPattern(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    status: str = ""
    type: str = ""


class PodFailurePolicyRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    action: str = ""
    on_exit_codes: PodFailurePolicyOnExitCodesRequirement | None = None
    on_pod_conditions: tuple[PodFailurePolicyOnPodConditionsPattern, ...] = ()


class SuccessPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    rules: tuple[SuccessPolicyRule, ...] = ()


class SuccessPolicyRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    succeeded_count: int | None = None
    succeeded_indexes: str = ""


class UncountedTerminatedPods(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    failed: tuple[str, ...] = ()
    succeeded: tuple[str, ...] = ()
