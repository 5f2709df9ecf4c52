"""Device names, `/job:worker/replica:0/task:1/device:GPU:0`, and how nested device scopes merge."""

import re
from typing import Any

_PART = re.compile(r"/(?:(job):([^/]+)|(replica|task):(\d+|\*)|(?:device:)?(cpu|gpu|tpu|[A-Za-z_]+)(?::(\d+|\*))?)", re.IGNORECASE)


class DeviceSpec:
    """A device name, possibly partial. Unset parts are None."""

    def __init__(
        self, job: str | None = None, replica: int | None = None, task: int | None = None,
        device_type: str | None = None, device_index: int | None = None,
    ) -> None:  # fmt: skip
        self.job = job
        self.replica = replica
        self.task = task
        self.device_type = device_type.upper() if device_type in ("cpu", "gpu", "tpu") else device_type
        self.device_index = device_index

    def parse_from_string(self, spec: str) -> "DeviceSpec":
        """Fills this spec from a name. Raises ValueError for text that is no device name."""
        if spec and not spec.startswith("/"):
            spec = "/" + spec
        rest = spec
        while rest:
            m = _PART.match(rest)
            if m is None:
                raise ValueError(f"Unknown attribute: '{rest}' in device name '{spec}'")
            job, job_name, field, number, kind, index = m.groups()
            if job:
                self.job = job_name
            elif field:
                setattr(self, field.lower(), None if number == "*" else int(number))
            else:
                self.device_type = kind.upper() if kind.lower() in ("cpu", "gpu", "tpu") else kind
                self.device_index = None if index in (None, "*") else int(index)
            rest = rest[m.end() :]
        return self

    @staticmethod
    def from_string(spec: str) -> "DeviceSpec":
        """Returns the spec a name stands for."""
        return DeviceSpec().parse_from_string(spec)

    def merge_from(self, other: "DeviceSpec") -> None:
        """Takes over every part that `other` sets."""
        for part in ("job", "replica", "task", "device_type", "device_index"):
            if getattr(other, part) is not None:
                setattr(self, part, getattr(other, part))

    def to_string(self) -> str:
        """Returns the name."""
        out = ""
        if self.job is not None:
            out += f"/job:{self.job}"
        if self.replica is not None:
            out += f"/replica:{self.replica}"
        if self.task is not None:
            out += f"/task:{self.task}"
        if self.device_type is not None:
            out += f"/device:{self.device_type}:{'*' if self.device_index is None else self.device_index}"
        return out

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeviceSpec) and self.to_string() == other.to_string()

    def __hash__(self) -> int:
        return hash(self.to_string())


def merge_devices(stack: list[Any], op: Any) -> str:
    """Returns the device of `op` under nested scopes, outermost first: names, specs or functions of the op."""
    merged = DeviceSpec()
    for entry in stack:
        if entry is None:
            merged = DeviceSpec()
            continue
        if callable(entry):
            op.device = merged.to_string()
            entry = entry(op)
        if isinstance(entry, DeviceSpec):
            entry = entry.to_string()
        if entry:
            merged.merge_from(DeviceSpec.from_string(str(entry)))
    return merged.to_string()


__exports__ = {"DeviceSpec": "DeviceSpec"}
