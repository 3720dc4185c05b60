"""Which kernels are faster than torch's on this CPU: measured once on a machine, then read from the cache folder.

All ranks of a run, and its resumption, must choose alike: they read one file, named by processor and version of torch,
of which the first process that writes it wins.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from compret.compat import has_onednn_linear, onednn_linear
from compret.files import Settings, cache_folder
from compret.nn.cpu.dropout import DROPOUT, dropout
from compret.nn.cpu.linear import (
    FORWARD,
    GELU,
    INPUT_GRADIENT,
    WEIGHT_GRADIENT,
    input_gradient,
    torchs_weight_gradient,
    weight_gradient,
)
from compret.types import UserError

log = logging.getLogger(__name__)

CPUKernels = Literal["auto", "off"]
_CLEARLY = 1.05
"""Ratios below it are within the noise of a measurement."""
_ROWS, _IN, _OUT = 512, 384, 1536
"""A feed-forward layer of MiniLM, and as many tokens as a pass of a training step has."""
_TURNS = 5
Work = Callable[[], Tensor]


@dataclass(frozen=True)
class Kernels:
    """Torch's time over that of each kernel here; a kernel is used where it is clearly faster."""

    ratios: Mapping[str, float]

    @property
    def faster(self) -> frozenset[str]:
        return frozenset(name for name, ratio in self.ratios.items() if ratio >= _CLEARLY)

    def to_dict(self) -> dict[str, Any]:
        """For results.json: which are used, and the ratios by which they were chosen."""
        return {"used": sorted(self.faster), "ratios": dict(self.ratios)}


def kernels(wanted: CPUKernels) -> Kernels:
    """Those that this machine has found faster; none if off.

    Raises:
        UserError: it is neither auto nor off.
    """
    if wanted not in ("auto", "off"):
        raise UserError(f"model.cpu_kernels {wanted}: auto or off")
    return _of_this_machine(cache_folder()) if wanted == "auto" else Kernels({})


@cache
def _of_this_machine(folder: Path) -> Kernels:
    machine = _machine()
    path = folder / "cpu_kernels" / f"{hashlib.sha256(machine.encode()).hexdigest()[:16]}.json"
    found = _read(path)
    if found is None:
        measured = measure()
        _keep(path, {"machine": machine, "ratios": measured})
        found = _read(path) or Kernels(measured)
    log.info("on a CPU, kernels instead of torch's: %s (measured: %s)", ", ".join(sorted(found.faster)) or "none", path)
    return found


def measure() -> dict[str, float]:
    """Torch's fastest time over the kernel's, in turns on one thread, by the kernel's name; about 0.3 s.

    Time that the processor gives to other programs does not count.
    """
    seconds: dict[str, tuple[list[float], list[float]]] = {}
    with torch.no_grad(), torch.random.fork_rng(devices=[]), _one_thread():
        pairs = _pairs()
        for _ in range(_TURNS + 1):  # the first turn makes oneDNN's plans, and is never the fastest
            for name, works in pairs.items():
                for times, work in zip(seconds.setdefault(name, ([], [])), works, strict=True):
                    start = time.thread_time()
                    work()
                    times.append(time.thread_time() - start)
    return {name: round(min(torchs) / min(ours), 3) for name, (torchs, ours) in seconds.items()}


def _pairs() -> dict[str, tuple[Work, Work]]:
    """Torch's way and ours, of what a transformer's feed-forward layer does."""
    x, grad = torch.randn(_ROWS, _IN), torch.randn(_ROWS, _OUT)
    weight, bias = torch.randn(_OUT, _IN), torch.randn(_OUT)
    dropped: dict[str, tuple[Work, Work]] = {DROPOUT: (lambda: F.dropout(x, 0.1), lambda: dropout(x, 0.1))}
    if not has_onednn_linear():
        return dropped
    return {
        FORWARD: (lambda: F.linear(x, weight, bias), lambda: onednn_linear(x, weight, bias)),
        GELU: (lambda: F.gelu(F.linear(x, weight, bias)), lambda: onednn_linear(x, weight, bias, "gelu")),
        INPUT_GRADIENT: (lambda: grad @ weight, lambda: input_gradient(grad, weight)),
        WEIGHT_GRADIENT: (lambda: torchs_weight_gradient(grad, x), lambda: weight_gradient(grad, x)),
        **dropped,
    }


def _read(path: Path) -> Kernels | None:
    if not path.exists():
        return None
    try:
        stored = Settings.of(path).part("ratios")
        return Kernels({name: stored.number(name) for name in stored.content})
    except UserError as error:
        log.warning("%s; measured again", error)
        path.unlink(missing_ok=True)
        return None


def _keep(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file, unless another process has written it by now."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        with suppress(FileExistsError):
            os.link(temporary, path)
        temporary.unlink()
    except OSError as error:
        log.warning("%s: cannot be written (%s); each process measures its CPU kernels", path, error.strerror or error)


def _machine() -> str:
    """The processor, what torch uses of it, and torch's version; no matter how many threads, which ranks differ in."""
    cpu = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = (line.partition(":") for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines())
        known = {key.strip(): value.strip() for key, _, value in lines}
        cpu = " ".join(known[key] for key in ("model name", "cpu family", "model", "stepping") if key in known) or cpu
    return f"{cpu}, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"


@contextmanager
def _one_thread() -> Iterator[None]:
    """For the time of a thread tells nothing of the others'."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
