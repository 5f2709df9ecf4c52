"""The operators of Tensor: `+ - * / // % ** @ & | ^ ~ < <= > >= []`, installed when imported.

A Python number adopts the tensor's dtype; `/` is true division, `==` is identity.
"""

from collections.abc import Callable
from typing import Any

from ir.convert import convert_to_tensor, get_default_graph
from ir.ops import arith, compare, elementwise, layout, matmul, slicing
from ir.tensor import Tensor


def _binary(fn: Callable[..., Tensor], op_name: str) -> None:
    def forward(x: Tensor, y: Any) -> Tensor:
        if _defers(y):
            return NotImplemented
        with get_default_graph().name_scope(op_name) as scope:
            y = convert_to_tensor(y, dtype=x.dtype.base_dtype, name="y")
            return fn(x, y, name=scope)

    def backward(y: Tensor, x: Any) -> Tensor:
        with get_default_graph().name_scope(op_name) as scope:
            x = convert_to_tensor(x, dtype=y.dtype.base_dtype, name="x")
            return fn(x, y, name=scope)

    attr = {"and": "and", "or": "or"}.get(op_name, op_name)
    OPERATORS[f"__{attr}__"] = forward
    OPERATORS[f"__r{attr}__"] = backward


def _defers(y: Any) -> bool:
    return hasattr(type(y), "__tensor_operand__")  # classes that define the reflected operator themselves


def _compare(fn: Callable[..., Tensor], dunder: str) -> None:
    def operator(x: Tensor, y: Any) -> Tensor:
        return fn(x, y)  # a Python value becomes the constant "Less/y", as in TensorFlow

    OPERATORS[dunder] = operator


#: dunder name -> function, for Tensor and for whatever behaves like one (variables)
OPERATORS: dict[str, Callable[..., Any]] = {}

_binary(arith.add_v2, "add")
_binary(arith.subtract, "sub")
_binary(arith.multiply, "mul")
_binary(arith.truediv, "truediv")
_binary(arith.floordiv, "floordiv")
_binary(arith.floormod, "mod")
_binary(arith.pow_, "pow")
_binary(matmul.matmul, "matmul")
_binary(compare.logical_and, "and")
_binary(compare.logical_or, "or")
_binary(compare.logical_xor, "xor")
_compare(compare.less, "__lt__")
_compare(compare.less_equal, "__le__")
_compare(compare.greater, "__gt__")
_compare(compare.greater_equal, "__ge__")
OPERATORS["__neg__"] = lambda x: elementwise.negative(x)
OPERATORS["__abs__"] = lambda x: elementwise.abs_(x)
OPERATORS["__invert__"] = lambda x: compare.logical_not(x)
OPERATORS["__getitem__"] = slicing.getitem
OPERATORS["__div__"] = OPERATORS["__truediv__"]
OPERATORS["__rdiv__"] = OPERATORS["__rtruediv__"]

for _name, _fn in OPERATORS.items():
    setattr(Tensor, _name, _fn)

__all__ = ["OPERATORS", "layout"]
