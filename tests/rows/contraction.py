"""Rows of ir.ops.contraction."""

import numpy as np

from ir.ops.contraction import _einsum, einsum, tensordot
from ir.ops.layout import zeros
from tests.rowdef import ErrorRow, Row, integers, normal

X, Y = normal(2, 3, 4), normal(4, 3, 5, seed=1)


def dots(axes, x=X, y=Y, **kw):
    return Row("MatMul", lambda a, b: tensordot(a, b, axes), [x, y], lambda a, b: np.tensordot(a, b, axes), grad=True, rtol=1e-4, atol=1e-5,
               id=f"tensordot {axes}", **kw)  # fmt: skip


def products(op, equation, *shapes, **kw):
    tensors = [normal(*s, seed=i) for i, s in enumerate(shapes)]
    return Row(op, lambda *t: einsum(equation, *t), tensors, lambda *t: np.einsum(equation, *t), grad=True, forget=False, rtol=1e-4, atol=1e-5,
               id=f"einsum {equation}", **kw)  # fmt: skip


ROWS = [
    dots(1, second=True),
    dots(0),
    dots([[2, 1], [0, 1]], second=True),
    dots([[-1], [0]]),
    dots([1, 1]),
    dots([[], []], normal(2), normal(3)),
    dots([[0, 1], [1, 0]], normal(2, 3), normal(3, 2)),
    Row("MatMul", lambda a, b: tensordot(a, b, np.int32([[2], [0]])), [X, Y], lambda a, b: np.tensordot(a, b, 1), grad=True, forget=False, rtol=1e-4, atol=1e-5,
        id="tensordot tensor"),
    Row("MatMul", lambda a, b: tensordot(a, b, 1), [integers(2, 3), integers(3)], lambda a, b: np.tensordot(a, b, 1), id="tensordot int"),
    products("BatchMatMulV2", "bij,bjk->bik", (2, 3, 4), (2, 4, 5), second=True),
    products("MatMul", "bij,jk->bik", (2, 3, 4), (4, 5)),
    products("BatchMatMulV2", "bxhd,byhd->bhxy", (2, 3, 4, 5), (2, 6, 4, 5), second=True),
    products("MatMul", "ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    products("MatMul", "ij,ij->", (3, 4), (3, 4)),
    products("MatMul", "ij,ji", (3, 4), (4, 3)),
    products("Mul", "i,j->ij", (3,), (4,)),
    products("Mul", "ij,ij->ij", (3, 4), (3, 4)),
    products("Mul", "ij,k->k", (3, 3), (3,)),
    products("Mul", "ij,ij,ij->j", (3, 4), (3, 4), (3, 4)),
    products("Sum", "bij->ji", (2, 3, 4)),
    products("Transpose", "ba", (2, 3)),
    products("MatMul", "...i,ij->...j", (2, 3, 4), (4, 5)),
    products("BatchMatMulV2", "...ij,...jk->...ik", (2, 3, 4), (2, 4, 5)),
    products("MatrixDiagPart", "ii", (3, 3)),
    Row("MatMul", lambda a, b: einsum("bij,jk->bik", a, b, name="e"), [integers(2, 3, 4), integers(4, 5)], lambda a, b: a @ b, forget=False, id="einsum int"),
    *[
        Row("Einsum", lambda *t, e=e: _einsum(list(t), e), [normal(*s, seed=i) for i, s in enumerate(shapes)], lambda *t, e=e: np.einsum(e, *t), grad=True,
            second=e == "bij,bjk->bik", forget=False, rtol=1e-4, atol=1e-5, id=e)
        for e, shapes in (
            ("ij->ji", [(2, 3)]), ("ij->", [(2, 3)]), ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]), ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]),
            ("...ij,jk->...ik", [(2, 3, 4), (4, 5)]), ("ij,kj->k", [(2, 3), (4, 3)]), ("ab,c->a", [(2, 3), (4,)]),
        )
    ],
    Row("Einsum", lambda x: _einsum([x], "ii->i"), [normal(3, 3)], lambda x: np.einsum("ii->i", x), id="repeated", forget=False),
]  # fmt: skip

ERRORS = [
    ErrorRow("MatMul", lambda: tensordot(zeros([2, 3]), zeros([4, 5]), 1), ValueError, "inner dimensions differ"),
    ErrorRow("MatMul", lambda: tensordot(zeros([2]), zeros([2]), -1), ValueError, "must be at least 0"),
    ErrorRow("MatMul", lambda: tensordot(zeros([2]), zeros([2]), 2), ValueError, "must not be larger than the number of dimensions"),
    ErrorRow("MatMul", lambda: tensordot(zeros([2]), zeros([2]), [[0], [0, 1]]), ValueError, "Different number of contraction axes"),
    ErrorRow("MatMul", lambda: einsum("ij,jk->ik", zeros([2, 3])), ValueError, "expecting 2"),
    ErrorRow("MatMul", lambda: einsum("i,jk->ik", zeros([2, 3]), zeros([2, 3])), ValueError, "an operand of rank 2 does not fit 'i'"),
    ErrorRow("MatMul", lambda: einsum("ii->i", zeros([2, 2])), ValueError, "an axis appears more than once: ii"),
    ErrorRow("MatMul", lambda: einsum("i1->i", zeros([2, 2])), ValueError, "incorrect format"),
    ErrorRow("MatMul", lambda: einsum("ij->ik", zeros([2, 2])), ValueError, "the label 'k'"),
    ErrorRow("MatMul", lambda: einsum("ij->i", zeros([2, 2]), axis=1), TypeError, "invalid keyword"),
]
