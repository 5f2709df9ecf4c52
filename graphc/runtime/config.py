"""Options: the protos TF1 programs pass to a Session, as plain classes, and the compile options per platform."""

import os
from typing import TYPE_CHECKING, Any, ClassVar

import jax

from ir.build import export


class _Options:
    """A bag of fields that accepts what the TensorFlow proto of the name accepts, nested messages included."""

    _fields: ClassVar[dict[str, Any]] = {}

    def __init__(self, **fields: Any) -> None:
        for name in fields:
            if name not in self._fields:
                raise ValueError(f"{type(self).__name__} has no field {name!r}; its fields are {', '.join(sorted(self._fields))}")
        for name, default in self._fields.items():
            given = fields.get(name)
            if given is None:
                given = default() if callable(default) else default
            object.__setattr__(self, name, given)

    if TYPE_CHECKING:  # the fields

        def __getattr__(self, name: str) -> Any: ...

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._fields:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}; its fields are {', '.join(sorted(self._fields))}")
        object.__setattr__(self, name, value)

    def CopyFrom(self, other: "_Options") -> None:
        """Takes over every field of `other`."""
        for name in self._fields:
            object.__setattr__(self, name, getattr(other, name))

    MergeFrom = CopyFrom

    def __repr__(self) -> str:
        set_fields = {n: getattr(self, n) for n in self._fields}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in set_fields.items())})"


class _Experimental(_Options):
    def __init__(self, **fields: Any) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


@export("GPUOptions")
class GPUOptions(_Options):
    """Options of the GPU: `allow_growth` and `per_process_gpu_memory_fraction` decide how much memory is taken, and when."""

    Experimental = _Experimental
    _fields: ClassVar[dict[str, Any]] = {
        "allow_growth": False, "per_process_gpu_memory_fraction": 0.0, "allocator_type": "", "visible_device_list": "",
        "deferred_deletion_bytes": 0, "polling_active_delay_usecs": 0, "polling_inactive_delay_msecs": 0, "force_gpu_compatible": False,
        "experimental": _Experimental,
    }  # fmt: skip


@export("OptimizerOptions")
class OptimizerOptions(_Options):
    """Accepted for compatibility: XLA optimizes always."""

    L0, L1 = -1, 0
    DEFAULT, OFF, ON_1, ON_2 = 0, -1, 1, 2
    _fields: ClassVar[dict[str, Any]] = {
        "do_common_subexpression_elimination": True, "do_constant_folding": True, "do_function_inlining": True, "max_folded_constant_in_bytes": 0,
        "opt_level": 0, "global_jit_level": 0,
    }  # fmt: skip


@export("GraphOptions")
class GraphOptions(_Options):
    """Accepted for compatibility."""

    _fields: ClassVar[dict[str, Any]] = {
        "enable_recv_scheduling": False, "optimizer_options": OptimizerOptions, "build_cost_model": 0, "build_cost_model_after": 0, "infer_shapes": True,
        "place_pruned_graph": False, "enable_bfloat16_sendrecv": False, "timeline_step": 0, "rewrite_options": _Experimental,
    }  # fmt: skip


@export("ConfigProto")
class ConfigProto(_Options):
    """Options of a Session: TF 1.15's fields are accepted; `gpu_options` has an effect.

    >>> config = ConfigProto(allow_soft_placement=True)
    >>> config.gpu_options.allow_growth = True
    """

    Experimental = _Experimental
    _fields: ClassVar[dict[str, Any]] = {
        "device_count": dict, "intra_op_parallelism_threads": 0, "inter_op_parallelism_threads": 0, "use_per_session_threads": False,
        "session_inter_op_thread_pool": list, "placement_period": 0, "device_filters": list, "gpu_options": GPUOptions, "allow_soft_placement": False,
        "log_device_placement": False, "graph_options": GraphOptions, "operation_timeout_in_ms": 0, "rpc_options": _Experimental,
        "cluster_def": _Experimental, "isolate_session_state": False, "share_cluster_devices_in_session": False, "experimental": _Experimental,
    }  # fmt: skip


@export("RunOptions")
class RunOptions(_Options):
    """Options of one run; accepted for compatibility."""

    NO_TRACE, SOFTWARE_TRACE, HARDWARE_TRACE, FULL_TRACE = 0, 1, 2, 3
    Experimental = _Experimental
    _fields: ClassVar[dict[str, Any]] = {
        "trace_level": 0, "timeout_in_ms": 0, "inter_op_thread_pool": 0, "output_partition_graphs": False, "debug_options": _Experimental,
        "report_tensor_allocations_upon_oom": False, "experimental": _Experimental,
    }  # fmt: skip


def apply_gpu_options(options: GPUOptions) -> None:
    """Makes the memory options count, which JAX reads when it first touches the GPU."""
    if not (options.allow_growth or options.per_process_gpu_memory_fraction):
        return
    environment = os.environ
    if options.allow_growth:
        environment.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if options.per_process_gpu_memory_fraction:
        environment.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", str(options.per_process_gpu_memory_fraction))


_options: dict[str, dict[str, Any]] = {"cpu": {}, "gpu": {}, "cuda": {}, "tpu": {}}


def compiler_options() -> dict[str, Any] | None:
    """The compile options for the platform programs run on; never through the user's XLA_FLAGS."""
    return _options.get(jax.default_backend()) or None
