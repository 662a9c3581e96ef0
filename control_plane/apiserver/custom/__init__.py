"""CustomResourceDefinitions and the kinds they define. Follows apiextensions-apiserver.

The definition      definition_strategy.py what a write of one may do   definition_rules.py, schema_rules.py  what is wrong with one
                    structural_rules.py, default_rules.py               what makes its schema structural, its defaults valid
Its life            naming.py which names are accepted (pure)           lifecycle.py   conditions, establishing, deletion of instances
Serving it          serving.py rows, watch cache, schemas               kind.py        one version of one kind, compiled when first used
Its objects         strategy.py rules of a write                        structural.py  the schema as the functions below read it
                    pruning.py unknown fields                           defaulting.py  defaults, nulls
                    values.py, value_nodes.py  types and limits         formats.py, patterns.py  of strings
                    list_types.py sets and maps                         embedded.py    objects within objects
                    scale.py, columns.py subresource, table             conversion.py  between versions
"""
