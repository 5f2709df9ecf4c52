"""The devices of this process, under TensorFlow's names."""

from typing import Any

import jax


class DeviceAttributes:
    """One device: `name`, `device_type`, `memory_limit_bytes`."""

    def __init__(self, name: str, device_type: str, memory_limit_bytes: int) -> None:
        self.name = name
        self.device_type = device_type
        self.memory_limit_bytes = memory_limit_bytes

    def __repr__(self) -> str:
        return f"_DeviceAttributes({self.name}, {self.device_type}, {self.memory_limit_bytes})"


def local_devices() -> list[DeviceAttributes]:
    """Returns the CPU and the accelerators JAX sees."""
    found: list[DeviceAttributes] = []
    kinds: dict[str, int] = {}
    devices: list[Any] = list(jax.local_devices())
    if not any(d.platform == "cpu" for d in devices):
        found.append(_attributes("CPU", 0, None))
    for d in devices:
        platform = str(d.platform)
        kind = {"gpu": "GPU", "cuda": "GPU", "rocm": "GPU", "tpu": "TPU", "cpu": "CPU"}.get(platform, platform.upper())
        index = kinds.get(kind, 0)
        kinds[kind] = index + 1
        found.append(_attributes(kind, index, d))
    return found


def _attributes(kind: str, index: int, device: Any) -> DeviceAttributes:
    stats = device.memory_stats() if device is not None and hasattr(device, "memory_stats") else None
    limit = int(stats.get("bytes_limit", 0)) if stats else 256 * 2**20
    return DeviceAttributes(f"/job:localhost/replica:0/task:0/device:{kind}:{index}", kind, limit)
