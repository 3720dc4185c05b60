"""`compret doctor`: what this machine gives a run, how fast it is, and what would help."""

from __future__ import annotations

import os
import platform
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from compret.plain_parser import PlainParser

_PACKAGES = ("compret", "torch", "lightning", "transformers", "datasets")
_HUB = ("huggingface.co", 443)
_WORDS = "the man chased a small red bird before it saw the old house by the river and none of them closed a file"


def doctor(arguments: Sequence[str]) -> int:
    """Print versions, device, kernels, hub and embedded data, measure texts a second, and say what to change."""
    parser = PlainParser(prog="compret doctor", description=doctor.__doc__)
    parser.add_argument("--model", default="sentence-transformers/all-MiniLM-L6-v2", help="what is measured")
    parser.add_argument("--seconds", type=float, default=10, help="how long; 0 measures nothing")
    options = parser.parse_args(arguments)
    advice: list[str] = []
    for name, value in _facts(options.model, options.seconds, advice):
        sys.stdout.write(f"{name:<14}{value}\n")
        sys.stdout.flush()
    for line in advice or ["nothing to change"]:
        sys.stdout.write(f"{'advice':<14}{line}\n")
    return 0


def _facts(model: str, seconds: float, advice: list[str]) -> Iterator[tuple[str, str]]:
    """What there is, a name and a value at a time; what to change goes to `advice`."""
    yield "versions", ", ".join([f"python {platform.python_version()}", *(f"{p} {version(p)}" for p in _PACKAGES)])
    yield "device", _device(advice)
    yield "kernels", _kernels(advice)
    yield "hub", _hub(advice)
    yield "embedded data", _embedded(advice)
    if seconds > 0:
        yield "speed", measured(model, seconds)


def _device(advice: list[str]) -> str:
    import torch

    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / (1 << 30)
        if torch.cuda.is_bf16_supported():
            advice.append("train with --trainer.precision bf16-mixed and --matmul_precision high")
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}, {memory:.0f} GiB"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if torch.get_num_threads() < cores:
        advice.append(f"torch uses {torch.get_num_threads()} of {cores} cores: set OMP_NUM_THREADS={cores}")
    return f"CPU, {cores} cores, torch uses {torch.get_num_threads()}; no GPU that torch sees"


def _kernels(advice: list[str]) -> str:
    import torch

    from compret.nn.bf16 import bf16_slowdown

    slowdown = bf16_slowdown()
    if slowdown > 1 and not torch.cuda.is_available():
        advice.append("leave --trainer.precision at 32-true: bf16 is slower on this CPU")
    mkldnn = "oneDNN" if torch.backends.mkldnn.is_available() else "no oneDNN"
    return f"{torch.backends.cpu.get_cpu_capability()}, {mkldnn}; bf16 takes {slowdown:.1f} times float32's time"


def _hub(advice: list[str]) -> str:
    if os.environ.get("HF_HUB_OFFLINE") in ("1", "true", "True"):
        return "not asked for: HF_HUB_OFFLINE is set"
    try:
        socket.create_connection(_HUB, timeout=3).close()
    except OSError as error:
        advice.append("no hub: give models and data sets as folders; all-MiniLM-L6-v2 and the embedded data are here")
        return f"cannot be reached ({error})"
    return "reachable"


def _embedded(advice: list[str]) -> str:
    from compret.data.pydoc import is_made
    from compret.files import cache_folder

    if is_made():
        return f"made, in {cache_folder()}"
    advice.append("the embedded data is made by the first run that uses it, as compret test --config pydoc.yaml")
    return "not made yet"


def measured(model: str, seconds: float) -> str:
    """Texts that an encoder takes a second, 21 words each, in a measurement of about so many seconds.

    Raises:
        UserError: there is no such model.
    """
    import torch

    from compret.evaluation.encode import encode
    from compret.nn.encoder import TextEncoder

    encoder = TextEncoder(model).to("cuda" if torch.cuda.is_available() else "cpu").eval()
    encode(encoder, ["once to warm up"], "document")
    begun, done = time.perf_counter(), 0
    while (spent := time.perf_counter() - begun) < seconds:
        encode(encoder, [f"{_WORDS} {done + i}" for i in range(64)], "document")
        done += 64
    return f"{done / spent:,.0f} texts a second (21 words each, {model})"
