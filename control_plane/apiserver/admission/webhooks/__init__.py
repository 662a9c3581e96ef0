"""Admission webhooks: HTTPS servers, named by configurations, that change or refuse what is written.

    request -> configuration.py (which webhooks may be meant: a table look-up) -> selection.py (selectors, match conditions)
            -> review.py (AdmissionReview out) -> calling.py (HTTPS) -> review.py (AdmissionReview back) -> mutating.py, validating.py

mutating.py    one after the other, each seeing what the ones before it changed; patches; second round
validating.py  all at once; the first refusal by order counts
rules.py       operations, groups, versions, resources, scope      versions.py  a request's objects in the version a webhook asked for
expressions.py matchConditions (CEL)                               failures.py  what goes wrong, in upstream's words
dispatch.py    one call and what becomes of its outcome            patches.py   what a patch makes of an object
transport.py   the sentences of Go's HTTP client                   metrics.py   apiserver_admission_webhook_*
"""
