"""Optional values under a JAX trace."""

from typing import Any

import jax.numpy as jnp

from graphc.lowering.table import lowers


@lowers("OptionalGetValue")
def get_value(optional: Any, output_types: Any, output_shapes: Any, name: Any = None) -> Any:
    """The values; those of a branch that did not run are zeros that nothing may rely on while tracing."""
    if optional.value is not None:
        return optional.value
    return tuple(jnp.zeros([d or 0 for d in s.as_dims() or ()], t.np_dtype) for t, s in zip(output_types, output_shapes, strict=True))
