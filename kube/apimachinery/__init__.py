"""The API's vocabulary, pure: no process, no network.

scheme.py     what a resource type is        resources.py  every resource served       meta.py    names and owners
errors.py     API errors and their Status    schema.py     the kinds' fields           decode.py  bodies checked against them
labels.py     label selectors                fields.py     field selectors             validation.py  names and labels
quantity.py   100m, 1Gi                      intstr.py     25% or 2                    patch/     JSON, merge, strategic
regex.py      patterns of users, by RE2      go_text.py   durations, strings and errors as Go prints them
codec/        JSON, YAML, protobuf           openapi*.py   the API described           upstream.py  where the schemas come from
codegen/      maintainers' generators
"""
