"""How often hypothesis tries, and what it draws for API objects. The same cases in every run: what fails here, fails everywhere."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

Json = dict[str, Any]

# A busy machine is no failure; nothing is kept between runs.
often: Final = settings(max_examples=300, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
seldom: Final = settings(often, max_examples=60)

keys: Final = st.sampled_from(("a", "b", "c", "a/b", "a~b", "~1", ""))
scalars: Final = st.one_of(st.booleans(), st.integers(-3, 3), st.sampled_from(("", "x", "y")))
values: Final = st.recursive(
    scalars | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8)
solid: Final = st.recursive(      # without null
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8)
objects: Final = st.dictionaries(keys, values, max_size=4)
solid_objects: Final = st.dictionaries(keys, solid, max_size=4)
