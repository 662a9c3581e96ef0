"""Function libraries of Kubernetes' environment, one per module; each has a table FUNCTIONS.

addresses.py       ip, cidr                              list_functions.py  slice, flatten, sort, distinct, range, reverse (cel-go's lists)
authorizer.py      authorization checks                  lists.py           isSorted, sum, min, max, indexOf, includes (Kubernetes' lists)
formats.py         format.dns1123Label ... validate      string_format.py   "%d of %s".format([...])
optionals.py       optional.of, orValue, first, last     strings.py         charAt, split, replace, join ...
quantities.py      quantity                              sets.py            sets.contains, equivalent, intersects
regexes.py         find, findAll                         semvers.py         semver
urls.py            url

On request only: encoders.py (base64), json_patch.py (escapeKey), maths.py (math.*).
"""
