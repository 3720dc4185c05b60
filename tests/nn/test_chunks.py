"""Large batches in the memory of a chunk: the same gradients (GradCache), and little more memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from compret.data.collate import Collate
from compret.losses import Binary
from compret.nn.chunks import in_chunks
from compret.nn.verifiers import MapCNN, MapTransformer, MaxSim
from compret.tasks import DualEncoder, SimilarityMapVerifier
from compret.types import TripletBatch, UserError

Task = DualEncoder | SimilarityMapVerifier


def task(name: str, tiny: Path, chunk_size: int | None = None, dropout: float = 0.0) -> Task:
    torch.manual_seed(0)
    options = {"backbone": str(tiny), "chunk_size": chunk_size, "dropout": dropout}
    if name == "encoder":
        return DualEncoder(**options)
    if name == "retention":
        return SimilarityMapVerifier(MaxSim(), loss=Binary(), retention=1.0, **options)
    verifiers = {
        "maxsim": MaxSim,
        "cnn": lambda: MapCNN((4, 8), 8),  # convolutions of float64 take long
        "transformer": lambda: MapTransformer(16, 1, 2, 32, dropout=0.0),
    }
    return SimilarityMapVerifier(verifiers[name](), **options)


def batch_of(triplets: Path, model: Task, rows: int = 21, passes: int = 3) -> TripletBatch:
    lines = triplets.read_text().splitlines()[:rows]
    return Collate(model.encoder.tokenizer, passes)([json.loads(line) for line in lines])


@pytest.fixture
def in_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is computed in float32 whatever the autocast is computed in float64, where rounding hides nothing."""
    monkeypatch.setattr(Tensor, "float", Tensor.double)


def gradients(model: Task, batch: TripletBatch) -> tuple[Tensor, dict[str, Tensor]]:
    torch.manual_seed(1)
    loss = model.batch_loss(batch) if isinstance(model, DualEncoder) else sum(model.losses(batch))
    loss.backward()
    return loss.detach(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", ["encoder", "retention", "maxsim", "cnn", "transformer"])
@pytest.mark.parametrize("chunk_size", [1, 5, 64])
def test_gradients_are_those_of_the_whole_batch(
    tiny: Path, triplets: Path, name: str, chunk_size: int, in_double_precision: None
) -> None:
    plain, cached = task(name, tiny), task(name, tiny, chunk_size)
    (loss, expected), (found_loss, found) = (gradients(m.double(), batch_of(triplets, m)) for m in (plain, cached))
    assert loss.dtype == torch.float64
    torch.testing.assert_close(found_loss, loss, rtol=1e-6, atol=0)
    assert set(found) == set(expected)
    size = max(float(gradient.norm()) for gradient in expected.values())
    for parameter, gradient in expected.items():
        assert float((found[parameter] - gradient).norm()) <= 1e-6 * size, parameter


def test_dropout_is_the_same_in_both_passes(tiny: Path, triplets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gradient with recomputation is that of one graph over the same chunks and the same random numbers."""
    import compret.nn.chunks as module

    model = task("encoder", tiny, 5, dropout=0.3)
    _, found = gradients(model, batch_of(triplets, model))
    model = task("encoder", tiny, 5, dropout=0.3)
    monkeypatch.setattr(module, "checkpoint", lambda function, *inputs, use_reentrant: function(*inputs))
    _, expected = gradients(model, batch_of(triplets, model))
    for parameter, gradient in expected.items():
        torch.testing.assert_close(found[parameter], gradient, rtol=1e-5, atol=1e-7)


def test_chunks_hold_the_texts_in_their_order_without_needless_padding(tiny: Path, triplets: Path) -> None:
    batch = batch_of(triplets, task("encoder", tiny))
    chunks = in_chunks(batch.passes, 4)
    assert max(len(chunk.lengths) for chunk in chunks) == 4
    assert [n for chunk in chunks for n in chunk.lengths] == [n for tokens in batch.passes for n in tokens.lengths]
    assert all(chunk.ids_BM.shape[1] < max(chunk.lengths) + 8 for chunk in chunks)
    whole = [row[: int(m.sum())].tolist() for t in batch.passes for row, m in zip(t.ids_BM, t.mask_BM, strict=True)]
    cut = [row[: int(m.sum())].tolist() for t in chunks for row, m in zip(t.ids_BM, t.mask_BM, strict=True)]
    assert cut == whole


def test_a_chunk_of_no_text_is_refused(tiny: Path) -> None:
    with pytest.raises(UserError, match="model.chunk_size 0: at least 1 text"):
        task("encoder", tiny, 0)


MEASURED = """
import sys, torch
from pathlib import Path
from transformers import BertConfig, BertModel
from compret.nn.chunks import encode_each, in_chunks
from compret.types import TokenBatch

def kib(name):
    return next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith(name))

def step(texts, chunk):
    ids = torch.randint(5, 1000, (texts, width))
    passes = in_chunks([TokenBatch(ids, torch.ones_like(ids), (width,) * texts)], chunk)
    torch.cat(encode_each(encode, passes, chunk)).square().sum().backward()

torch.set_num_threads(1)
texts, chunk, width = int(sys.argv[1]), int(sys.argv[2]) or None, 64
model = BertModel(BertConfig(hidden_size=128, num_hidden_layers=3, num_attention_heads=4, intermediate_size=512))
encode = lambda t: model(input_ids=t.ids_BM, attention_mask=t.mask_BM).last_hidden_state.mean(1)
step(2, 1)
Path("/proc/self/clear_refs").write_text("5")
before = kib("VmRSS")
step(texts, chunk)
sys.stdout.write(str(kib("VmHWM") - before))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the kernel tells no peak memory")
def test_memory_is_that_of_a_chunk() -> None:
    """The peak of 512 texts in chunks of 64 is at most 1.3 times that of 64 texts at once."""

    def peak(texts: int, chunk: int) -> int:
        command = [sys.executable, "-c", MEASURED, str(texts), str(chunk)]
        # freed memory goes back to the system at once, so that the peak is that of live tensors
        environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
        return int(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)

    small, cached = peak(64, 0), peak(512, 64)
    assert small > 50_000
    assert cached <= 1.3 * small, f"{cached} KiB against {small} KiB"
