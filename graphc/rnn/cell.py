"""RNNCell: what every recurrent cell is. A cell is a plain object that makes its variables when it is first called."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from graphc.variables import initializers
from graphc.variables.scope import VariableScope, get_variable, get_variable_scope, variable_scope
from ir import nest, static
from ir.build import export
from ir.convert import convert_to_tensor, get_default_graph
from ir.dtypes import DType, as_dtype, float32, int32
from ir.ops import activation
from ir.ops.basic import identity
from ir.ops.elementwise import exp, sigmoid, tanh
from ir.ops.joining import concat
from ir.ops.layout import reshape, shape, zeros
from ir.scopes import GraphKeys
from ir.shapes import TensorShape, as_shape
from ir.stacks import sessions
from ir.tensor import Tensor

#: the activations that cells take by name
ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "tanh": tanh, "sigmoid": sigmoid, "relu": activation.relu, "elu": activation.elu, "selu": activation.selu, "softplus": activation.softplus,
    "softsign": activation.softsign, "softmax": activation.softmax, "exponential": exp, "linear": identity,
}  # fmt: skip
INITIALIZERS: dict[str, Callable[[], Any]] = {
    "zeros": initializers.Zeros, "ones": initializers.Ones, "glorot_uniform": initializers.GlorotUniform, "glorot_normal": initializers.GlorotNormal,
    "orthogonal": initializers.Orthogonal, "identity": initializers.Identity, "random_normal": initializers.KerasRandomNormal,
    "random_uniform": initializers.KerasRandomUniform, "truncated_normal": initializers.KerasTruncatedNormal, "lecun_normal": initializers.lecun_normal,
    "lecun_uniform": initializers.lecun_uniform, "he_normal": initializers.he_normal, "he_uniform": initializers.he_uniform,
}  # fmt: skip
_UIDS = "cell_names"


def activation_of(value: Any, default: Callable[..., Any] = tanh) -> Callable[..., Any]:
    """Returns the activation that a cell's argument means: a function, a name, or None for the default."""
    return _by_name(value, ACTIVATIONS, "activation") if value else default


def initializer_of(value: Any) -> Any:
    """Returns the initializer that a cell's argument means: an initializer, a name, or None."""
    found = _by_name(value, INITIALIZERS, "initializer")
    return found() if isinstance(value, str) else found


def _by_name(value: Any, table: dict[str, Any], what: str) -> Any:
    if not isinstance(value, str):
        return value
    if value not in table:
        raise ValueError(f"Unknown {what}: {value!r}; the names are {', '.join(sorted(table))}")
    return table[value]


def snake_case(name: str) -> str:
    """`BasicLSTMCell` as `basic_lstm_cell`."""
    text = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    text = re.sub(r"([a-z])([A-Z])", r"\1_\2", text).lower()
    return f"private{text}" if text.startswith("_") else text


def check_floating(values: Any) -> None:
    """Raises ValueError when a tensor (or a dtype) is neither floating nor complex."""
    for v in nest.flatten(values):
        dtype = None if v is None else as_dtype(getattr(v, "dtype", v))
        if dtype is not None and not (dtype.is_floating or dtype.is_complex):
            raise ValueError(f"RNN cell only supports floating point inputs, but saw dtype: {dtype.name}{f' ({v!r})' if isinstance(v, Tensor) else ''}")


def depth_of(inputs: Any) -> int:
    """Returns the number of columns. Raises ValueError when it is not known."""
    dims = as_shape(inputs).as_dims()
    if not dims or dims[-1] is None:
        raise ValueError(f"Expected inputs.shape[-1] to be known, saw shape: {as_shape(inputs)}")
    return dims[-1]


def assert_like_rnncell(cell_name: str, cell: Any) -> None:
    """Raises TypeError unless `cell` has what a cell needs."""
    problems = [f"'{p}' property is missing" for p in ("output_size", "state_size") if not hasattr(cell, p)]
    if not hasattr(cell, "get_initial_state") and not hasattr(cell, "zero_state"):
        problems.append("either 'zero_state' or 'get_initial_state' method is required")
    if not callable(cell):
        problems.append("is not callable")
    if problems:
        raise TypeError(f"The argument {cell_name!r} ({cell}) is not an RNNCell: {', '.join(problems)}.")


def batch_shape(batch: Any, size: Any) -> tuple[Any, TensorShape]:
    """The shape [batch] + size, as what `zeros` takes and as far as it is known; sizes are integers, TensorShapes or tensors."""
    if isinstance(size, Tensor):
        value = static.value_of(size)
        inner = as_shape(None if value is None else value.reshape(-1).tolist())
        tail: Any = reshape(size, [-1])
    else:
        inner = as_shape(size)
        tail = inner.as_list()
    if isinstance(batch, Tensor):
        known = static.value_of(batch)
        if batch.dims:
            raise ValueError(f"the batch size must be a scalar, got {batch!r}")
        first = None if known is None else int(known)
        head: Any = reshape(batch if batch.dtype.base_dtype is int32 else convert_to_tensor(batch), [1])
    else:
        first = None if batch is None else int(batch)
        head = [first]
    whole = TensorShape([first]).concatenate(inner)
    if whole.is_fully_defined():
        return whole.as_list(), whole
    if first is None and not isinstance(batch, Tensor):
        raise ValueError(f"Provided a batch size of None with {size}")
    return concat([convert_to_tensor(head, dtype=int32), convert_to_tensor(tail, dtype=int32)], 0), whole


def zero_tensors(sizes: Any, batch_size: Any, dtype: Any) -> Any:
    """Zeros of shape [batch_size] + size for each size in a nest."""

    def zero(size: Any) -> Tensor:
        dims, known = batch_shape(batch_size, size)
        out = zeros(dims, dtype=dtype)
        out.set_shape(known)
        return out

    return map_sizes(zero, sizes)


def map_sizes(fn: Callable[[Any], Any], sizes: Any) -> Any:
    """`nest.map_structure` on sizes, of which a TensorShape is one."""
    if isinstance(sizes, TensorShape) or not nest.is_nested(sizes):
        return fn(sizes)
    return nest.map_structure(fn, sizes)


@export("nn.rnn_cell.RNNCell contrib.rnn.RNNCell")
class RNNCell:
    """One step of a recurrent network: `(output, next_state) = cell(inputs, state)`.

    A subclass has the properties `state_size` and `output_size` (an integer, a TensorShape, or a nest of them) and a method
    `call(inputs, state)`, which may make variables with `tf.get_variable`. They are made in a variable scope called like the class, inside the
    one that is current when the cell is first called; later calls share them.

    Args:
      trainable: whether the variables made by `add_weight` are trained.
      name: the name of the scope.
      dtype: the type of the variables, by default that of the first inputs.
    """

    #: defaults, so that subclasses need not call `__init__`
    trainable = True
    built = False
    activity_regularizer = None
    input_spec = None
    _dtype: DType | None = None
    _reuse: Any = None
    _scope: VariableScope | None = None
    _base_name: str | None = None
    _name: str | None = None
    _getter_scope: Any = None

    def __init__(self, trainable: bool = True, name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        self.trainable = trainable
        self._dtype = None if dtype is None else as_dtype(dtype)
        self._reuse = kwargs.pop("_reuse", None)
        self.activity_regularizer = kwargs.pop("activity_regularizer", None)
        for ignored in ("_scope", "input_shape", "batch_input_shape", "dynamic", "autocast"):
            kwargs.pop(ignored, None)
        if kwargs:
            raise TypeError(f"Keyword argument not understood: {', '.join(kwargs)}")
        self._set_name(name)

    def _set_name(self, name: str | None) -> None:
        self._base_name = name or snake_case(type(self).__name__)
        self._name = name or _unique_name(self._base_name)

    # -- sizes and states ----------------------------------------------------------------------------

    @property
    def state_size(self) -> Any:
        """The size of the state without the batch: an integer, a TensorShape, or a nest of them."""
        raise NotImplementedError("Abstract method")

    @property
    def output_size(self) -> Any:
        """The size of the output without the batch."""
        raise NotImplementedError("Abstract method")

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        """Returns a state of zeros, shaped [batch_size] + size for each size in `state_size`."""
        with get_default_graph().name_scope(type(self).__name__ + "ZeroState"):
            return zero_tensors(self.state_size, batch_size, dtype)

    def get_initial_state(self, inputs: Any = None, batch_size: Any = None, dtype: Any = None) -> Any:
        """Returns `zero_state` for the batch size and type of `inputs`, or for those given."""
        if inputs is not None:
            t = convert_to_tensor(inputs, name="inputs")
            first = t.dims[0] if t.dims else None
            given = static.value_of(batch_size) if isinstance(batch_size, Tensor) else batch_size
            if batch_size is not None and first != given:
                raise ValueError(f"batch size from input tensor is different from the input param. Input tensor batch: {first}, batch_size: {batch_size}")
            if dtype is not None and t.dtype.base_dtype is not as_dtype(dtype):
                raise ValueError(f"dtype from input tensor is different from the input param. Input tensor dtype: {t.dtype.name}, dtype: {dtype}")
            batch_size, dtype = first or shape(t)[0], t.dtype.base_dtype
        if batch_size is None or dtype is None:
            raise ValueError(f"batch_size and dtype cannot be None while constructing initial state: batch_size={batch_size}, dtype={dtype}")
        return self.zero_state(batch_size, dtype)

    # -- calling -------------------------------------------------------------------------------------

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        """Runs one step. `scope` is the variable scope in which the cell makes its variables, by default one called like the class.

        Returns (output, next state).
        """
        if scope is not None:
            with variable_scope(scope, custom_getter=self._getter) as entered:
                return self._run(inputs, state, scope=entered)
        if self._getter_scope is None:
            self._getter_scope = variable_scope(get_variable_scope(), custom_getter=self._getter)
        with self._getter_scope:
            return self._run(inputs, state)

    def _getter(self, getter: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The getter inside a call: notes the variables."""
        variable = getter(*args, **kwargs)
        first = next(iter(variable)) if hasattr(variable, "as_tensor") else variable
        trained = any(first is v for v in get_default_graph().get_collection(GraphKeys.TRAINABLE_VARIABLES))
        self._note(variable, trained)
        return variable

    def _note(self, variable: Any, trained: bool) -> None:
        kept = self._weights(trained)
        if all(variable is not v for v in kept):
            kept.append(variable)

    def _weights(self, trained: bool) -> list[Any]:
        return self.__dict__.setdefault("_trained" if trained else "_fixed", [])

    def _set_scope(self, scope: Any = None) -> None:
        """Decides on the variable scope, at the first call."""
        if self._scope is not None:
            return
        if self._base_name is None:
            self._set_name(None)
        if self._reuse:
            opened = variable_scope(scope if scope is not None else self._base_name)
        else:
            opened = variable_scope(scope, default_name=self._base_name)
        with opened as entered:
            self._scope = entered

    def _run(self, inputs: Any, *args: Any, scope: Any = None, **kwargs: Any) -> Any:
        """Enters the cell's scopes, builds the cell when this is its first call, and calls it."""
        self._set_scope(scope)
        with self._entered(True if self.built else self._reuse):
            if not self.built:
                tensors = nest.map_structure(convert_to_tensor, inputs)
                if self._dtype is None:
                    self._dtype = nest.flatten(tensors)[0].dtype.base_dtype
                self.build(nest.map_structure(lambda t: t.shape, tensors))
                self.built = True
            return self.call(inputs, *args, **kwargs)

    @contextmanager
    def _entered(self, reuse: Any) -> Iterator[None]:
        """The cell's variable scope, and its name scope."""
        assert self._scope is not None
        with variable_scope(self._scope, reuse=reuse, auxiliary_name_scope=False) as entered, get_default_graph().name_scope(entered.original_name_scope):
            yield

    def build(self, _: Any) -> None:
        """Makes the variables for inputs of a shape; by default `call` makes them."""

    def call(self, inputs: Any, **kwargs: Any) -> Any:
        """One step, `call(inputs, state)`; a subclass defines it."""
        raise NotImplementedError("Abstract method")

    def apply(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """The same as calling the cell."""
        return self(inputs, *args, **kwargs)

    # -- variables -----------------------------------------------------------------------------------

    def add_weight(
        self, name: str, shape: Any, dtype: Any = None, initializer: Any = None, regularizer: Any = None, trainable: bool | None = None,
        constraint: Any = None, use_resource: bool | None = None, synchronization: Any = None, aggregation: Any = None, partitioner: Any = None,
        **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Makes a variable in the cell's scope, or returns that of an earlier cell when scopes say so."""
        self._set_scope()
        given = {k: v for k, v in (("synchronization", synchronization), ("aggregation", aggregation)) if v is not None}
        trained = self.trainable if trainable is None else trainable and self.trainable
        with self._entered(self.built or self._reuse):
            variable = get_variable(
                name, shape, dtype or self._dtype or float32, initializer, regularizer, trained, partitioner=partitioner, constraint=constraint,
                use_resource=use_resource, **given,
            )  # fmt: skip
        self._note(variable, trained)
        return variable

    def add_variable(self, *args: Any, **kwargs: Any) -> Any:
        """The same as `add_weight`."""
        return self.add_weight(*args, **kwargs)

    @property
    def trainable_weights(self) -> list[Any]:
        """The variables that are trained, in the order they were made."""
        return list(self._weights(True)) if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Any]:
        """The variables that are not trained."""
        return list(self._weights(False)) if self.trainable else [*self._weights(True), *self._weights(False)]

    @property
    def weights(self) -> list[Any]:
        """All variables, those that are trained first."""
        return [*self.trainable_weights, *self.non_trainable_weights]

    @property
    def variables(self) -> list[Any]:
        """The same as `weights`."""
        return self.weights

    @property
    def trainable_variables(self) -> list[Any]:
        """The same as `trainable_weights`."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Any]:
        """The same as `non_trainable_weights`."""
        return self.non_trainable_weights

    def count_params(self) -> int:
        """Returns the number of elements of all variables. Raises ValueError before the cell is built."""
        if not self.built and not self.weights:
            raise ValueError(f"You tried to call `count_params` on {self.name}, but the layer isn't built.")
        return sum(int(w.shape.num_elements()) for w in self.weights)

    def get_weights(self) -> list[Any]:
        """Returns the values of the variables in the default session."""
        return _session().run(self.weights)

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Gives the variables values in the default session."""
        if len(weights) != len(self.weights):
            raise ValueError(f"set_weights got {len(weights)} arrays for {len(self.weights)} variables")
        for variable, value in zip(self.weights, weights, strict=True):
            variable.load(value, _session())

    # -- names and the rest --------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name of the cell, unique in its graph unless it was given."""
        if self._name is None:
            self._set_name(None)
        return self._name or ""

    @property
    def scope_name(self) -> str:
        """The name of the variable scope. Raises ValueError before the first call."""
        if self._scope is None:
            raise ValueError(f'No name available for layer scope because the layer "{self.name}" has not been used yet. The scope name is determined '
                             "the first time the layer instance is called. You must therefore call the layer before querying `scope_name`.")  # fmt: skip
        return self._scope.name

    @property
    def dtype(self) -> DType | None:
        """The type of the variables; None while it is open."""
        return self._dtype

    @property
    def graph(self) -> Any:
        """The graph of the variables, or the default graph."""
        weights = self.weights
        return weights[0].graph if weights else get_default_graph()

    @property
    def losses(self) -> list[Any]:
        """What `add_loss` was given, and the regularization losses of the variables."""
        scope = None if self._scope is None else f"{self._scope.name}/"
        return [*self.__dict__.get("_losses", []), *get_default_graph().get_collection(GraphKeys.REGULARIZATION_LOSSES, scope)]

    @property
    def updates(self) -> list[Any]:
        """What `add_update` was given."""
        return list(self.__dict__.get("_updates", []))

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        """Adds to `losses` and to `GraphKeys.REGULARIZATION_LOSSES`."""
        for loss in nest.flatten(losses):
            self.__dict__.setdefault("_losses", []).append(loss)

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Adds to `updates` and to `GraphKeys.UPDATE_OPS`."""
        for update in nest.flatten(updates):
            self.__dict__.setdefault("_updates", []).append(update)
            get_default_graph().add_to_collection(GraphKeys.UPDATE_OPS, update)

    def get_config(self) -> dict[str, Any]:
        """Returns what makes an equal cell."""
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        if self._dtype is not None:
            config["dtype"] = self._dtype.name
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Makes a cell from what `get_config` returned."""
        return cls(**config)


class LayerRNNCell(RNNCell):
    """A cell that makes its variables in `build`, by `add_weight`."""

    def __call__(self, inputs: Any, state: Any, scope: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Runs one step; see `RNNCell`."""
        return self._run(inputs, state, *args, scope=scope, **kwargs)


def _unique_name(base: str) -> str:
    """`base`, `base_1`, ... per graph."""
    counts: dict[str, int] = get_default_graph().notes.setdefault(_UIDS, {})
    n = counts.get(base, 0)
    counts[base] = n + 1
    return base if n == 0 else f"{base}_{n}"


def _session() -> Any:
    session = sessions.top()
    if session is None:
        raise ValueError("no default session is registered: enter one with `with session.as_default():`")
    return session


__exports__ = {"contrib.rnn.LayerRNNCell": "LayerRNNCell"}
