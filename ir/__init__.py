"""The graph, and all that can be known of it without running it. Imports NumPy, ml_dtypes and the standard library, never jax.

In reading order:

    errors location stacks device       exceptions; where the user's lines are; thread-local defaults; device names
    dtypes shapes                       element types; shapes that may be partly unknown
    tensor graph indexed_slices         Tensor, Operation, Graph: append-only, named
    function funcref                    a graph's function library
    opdef build convert                 what is known of an op type; making operations; Python values to tensors
    xp static infer                     the array namespace of op bodies; values known ahead; shape functions
    scopes random_seed sparse_tensor    TF1's functions on the default graph; seeds; SparseTensor
    ops                                 the vocabulary: one file per family, op, shape, meaning and gradient together
    operators gradients                 what `+` and `[]` build; the differentiation pass
    program rewrite                     the part of a graph that one run needs; Program -> Program
    text graphdef                       a printed form that parses back; GraphDef in and out
"""
