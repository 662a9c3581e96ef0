"""Admission policies: CEL expressions that refuse (ValidatingAdmissionPolicy) or change (MutatingAdmissionPolicy) what is written.

    request -> source.py (which policies may be meant: a table look-up) -> matching.py (rules, selectors, of the policy and of its binding)
            -> params.py (a binding's parameters) -> evaluation.py (expressions, their values, their cost) -> validating.py, mutating.py

environment.py  what expressions may use; compilation, in upstream's words    patches.py  what a mutation makes of an object
patch_types.py  the types that mutations make: Object, JSONPatch               policy.py   a policy, compiled when first used
access.py       who may write a policy with parameters

Without a policy that has a binding a request costs one look at a flag; CEL is imported with the first policy.
"""
