"""Exceptions a run or a build can raise: the classes of `tf.errors`, with TensorFlow's codes.

Imports nothing of ours.
"""

from typing import Any

OK = 0
CANCELLED = 1
UNKNOWN = 2
INVALID_ARGUMENT = 3
DEADLINE_EXCEEDED = 4
NOT_FOUND = 5
ALREADY_EXISTS = 6
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
ABORTED = 10
OUT_OF_RANGE = 11
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
DATA_LOSS = 15
UNAUTHENTICATED = 16


class OpError(Exception):
    """An operation failed while a graph ran.

    `op` is the `Operation` that failed (None when unknown), `message` says what was given and what
    was expected, `error_code` is one of the integer codes of this module.
    """

    code = UNKNOWN

    def __init__(self, node_def: Any, op: Any, message: str, error_code: int | None = None) -> None:
        super().__init__()
        self._node_def = node_def
        self._op = op
        self._message = message
        self._error_code = self.code if error_code is None else error_code

    def locate(self, op: Any) -> None:
        """Says which `Operation` failed, if that is not known yet."""
        if self._op is None:
            self._op = op

    @property
    def message(self) -> str:
        """The description of what went wrong."""
        return self._message

    @property
    def op(self) -> Any:
        """The operation that failed, or None."""
        return self._op

    @property
    def node_def(self) -> Any:
        """The `NodeDef` of the operation that failed, or None."""
        if self._node_def is None and self._op is not None:
            return self._op.node_def
        return self._node_def

    @property
    def error_code(self) -> int:
        """The integer code of the error."""
        return self._error_code

    def __str__(self) -> str:
        if self._op is None:
            return self._message
        where = self._op.location_line()
        defined = f" (defined at {where})" if where else ""
        return f"{self._message}\n\t [[node {self._op.name} = {self._op.type}{defined}]]"

    def __reduce__(self) -> Any:
        return type(self), (None, None, str(self))


class CancelledError(OpError):
    """The operation was cancelled, for example because the session or queue was closed."""

    code = CANCELLED


class UnknownError(OpError):
    """An error whose cause is not known."""

    code = UNKNOWN


class InvalidArgumentError(OpError):
    """An operation received an argument it cannot work with."""

    code = INVALID_ARGUMENT


class DeadlineExceededError(OpError):
    """A deadline passed before the operation was done."""

    code = DEADLINE_EXCEEDED


class NotFoundError(OpError):
    """Something asked for (a file, a resource) does not exist."""

    code = NOT_FOUND


class AlreadyExistsError(OpError):
    """Something to be created exists already."""

    code = ALREADY_EXISTS


class PermissionDeniedError(OpError):
    """The caller lacks the right to do this."""

    code = PERMISSION_DENIED


class ResourceExhaustedError(OpError):
    """Something is used up: memory, most often."""

    code = RESOURCE_EXHAUSTED


class FailedPreconditionError(OpError):
    """The system is not in the state the operation needs; a variable is not initialized, most often."""

    code = FAILED_PRECONDITION


class AbortedError(OpError):
    """The operation was aborted."""

    code = ABORTED


class OutOfRangeError(OpError):
    """The end of the input was reached."""

    code = OUT_OF_RANGE


class UnimplementedError(OpError):
    """The operation is not implemented for these arguments."""

    code = UNIMPLEMENTED


class InternalError(OpError):
    """Something that should never happen did: a bug of graphc."""

    code = INTERNAL


class UnavailableError(OpError):
    """The runtime is not available at the moment."""

    code = UNAVAILABLE


class DataLossError(OpError):
    """Data is lost or damaged."""

    code = DATA_LOSS


class UnauthenticatedError(OpError):
    """The request is not authenticated."""

    code = UNAUTHENTICATED


_BY_CODE = {c.code: c for c in OpError.__subclasses__()}


def exception_type_from_error_code(error_code: int) -> type[OpError]:
    """Returns the exception class of an integer `error_code`."""
    return _BY_CODE[error_code]


def error_code_from_exception_type(cls: type[OpError]) -> int:
    """Returns the integer code of an exception class."""
    return cls.code

__exports__ = {
    "errors.OK": "OK",
    "errors.CANCELLED": "CANCELLED",
    "errors.UNKNOWN": "UNKNOWN",
    "errors.INVALID_ARGUMENT": "INVALID_ARGUMENT",
    "errors.DEADLINE_EXCEEDED": "DEADLINE_EXCEEDED",
    "errors.NOT_FOUND": "NOT_FOUND",
    "errors.ALREADY_EXISTS": "ALREADY_EXISTS",
    "errors.PERMISSION_DENIED": "PERMISSION_DENIED",
    "errors.RESOURCE_EXHAUSTED": "RESOURCE_EXHAUSTED",
    "errors.FAILED_PRECONDITION": "FAILED_PRECONDITION",
    "errors.ABORTED": "ABORTED",
    "errors.OUT_OF_RANGE": "OUT_OF_RANGE",
    "errors.UNIMPLEMENTED": "UNIMPLEMENTED",
    "errors.INTERNAL": "INTERNAL",
    "errors.UNAVAILABLE": "UNAVAILABLE",
    "errors.DATA_LOSS": "DATA_LOSS",
    "errors.UNAUTHENTICATED": "UNAUTHENTICATED",
    "OpError errors.OpError": "OpError",
    "errors.CancelledError": "CancelledError",
    "errors.UnknownError": "UnknownError",
    "errors.InvalidArgumentError": "InvalidArgumentError",
    "errors.DeadlineExceededError": "DeadlineExceededError",
    "errors.NotFoundError": "NotFoundError",
    "errors.AlreadyExistsError": "AlreadyExistsError",
    "errors.PermissionDeniedError": "PermissionDeniedError",
    "errors.ResourceExhaustedError": "ResourceExhaustedError",
    "errors.FailedPreconditionError": "FailedPreconditionError",
    "errors.AbortedError": "AbortedError",
    "errors.OutOfRangeError": "OutOfRangeError",
    "errors.UnimplementedError": "UnimplementedError",
    "errors.InternalError": "InternalError",
    "errors.UnavailableError": "UnavailableError",
    "errors.DataLossError": "DataLossError",
    "errors.UnauthenticatedError": "UnauthenticatedError",
    "errors.exception_type_from_error_code": "exception_type_from_error_code",
    "errors.error_code_from_exception_type": "error_code_from_exception_type",
}
