"""CustomResourceDefinitions and the kinds they define. Follows apiextensions-apiserver; docs/custom-resources.md tells how.

The definition      definition_strategy.py what a write of one may do   definition_rules.py, conversion_rules.py  what is wrong with one
                    schema_form.py, schema_rules.py, list_rules.py      its schemas, keyword by keyword
                    structural_rules.py, default_rules.py               are they structural, do their defaults hold
                    rule_checks.py, schema_paths.py                     x-kubernetes-validations, paths into a schema
Its life            naming.py accepted names, conditions (pure)         lifecycle.py   establishing, deletion of instances
Serving it          serving.py rows, watch cache, schemas               kind.py        one version of one kind, compiled when first used
Its objects         strategy.py rules of a write                        structural.py  the schema as the modules below read it
                    pruning.py unknown fields                           defaulting.py  defaults, nulls
                    values.py, scalars.py, failures.py  types, limits   formats.py  of strings
                    list_types.py sets and maps                         embedded.py    objects within objects, metadata
                    rules.py x-kubernetes-validations at work           field_types.py what apply asks of a schema
                    scale.py, paths.py, columns.py, patches.py          conversion.py  between versions, by a webhook
"""
