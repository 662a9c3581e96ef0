"""Tells in the status of ValidatingAdmissionPolicies which expressions do not fit the kinds they are for. docs/admission-policies.md.

controller.py   when, and the write      type_checking.py   which kinds, which warnings: pure      schemas.py   a kind's schema
"""
