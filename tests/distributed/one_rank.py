"""What one of two ranks does in test_two_ranks: its half of the rows, and the mean of both ranks' gradients.

    python one_rank.py RANK FOLDER
FOLDER holds tiny/ (the backbone) and triplets.jsonl; the gradients go to FOLDER/MODEL_KIND_RANKS.pt. Before, rank 0
does it all alone, as one of one. All is computed in
float64, where rounding hides nothing.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

from compret.data.collate import Collate
from compret.losses import Binary, Contrast, Loss, Needs
from compret.nn.verifiers import MapCNN, MapTransformer, MaxSim
from compret.tasks import CrossEncoder, DualEncoder, SimilarityMapVerifier
from compret.types import PairScores

ROWS = 7


@dataclass(frozen=True)
class OwnOfAll(Loss):
    """Of the scores with all candidates of all ranks, those with the own negatives."""

    @property
    def needs(self) -> Needs:
        return Needs("all")

    def __call__(self, scores: PairScores) -> torch.Tensor:
        return scores.negatives_C.exp().sum() / scores.negatives_a_rank


LOSSES = {
    "binary": Binary(),
    "some": Contrast(candidates="own", others=4),
    "symmetric": Contrast(symmetric=True),
    "labelled": Contrast(symmetric=True),
    "cosines symmetric": Contrast(symmetric=True),
    "cosines some": Contrast(candidates="own", others=4),
    "cosines labelled": Contrast(),
    "cosines binary": Binary(),
    "cross": Binary(),
    "cross symmetric": Contrast(symmetric=True),
    "cross labelled": Contrast(),
    "cosines own of all": OwnOfAll(),
}
MODELS = ("encoder", "maxsim", "cnn", "transformer", *LOSSES)


def model(name: str, backbone: str, chunk_size: int | None) -> CrossEncoder | DualEncoder | SimilarityMapVerifier:
    torch.manual_seed(0)
    loss = LOSSES.get(name, Contrast())
    if name.startswith(("encoder", "cosines")):
        return DualEncoder(backbone, chunk_size=chunk_size, loss=loss)
    if name.startswith("cross"):
        return CrossEncoder(backbone, loss=loss)
    verifiers = {"maxsim": MaxSim, "cnn": MapCNN}
    verifier = verifiers[name]() if name in verifiers else MapTransformer(16, 1, 2, 32, max_length=32)
    return SimilarityMapVerifier(verifier, backbone, loss=loss, retention=0.5, chunk_size=chunk_size)


def gradients(name: str, rank: int, ranks: int, folder: Path, chunk_size: int | None) -> dict[str, torch.Tensor]:
    task = model(name, str(folder / "tiny"), chunk_size).eval().double()
    if isinstance(task, SimilarityMapVerifier):
        task.retention.untouched.double()
        with torch.no_grad():  # an encoder that has not moved has nothing to retain
            for parameter in task.encoder.parameters():
                parameter.add_(torch.linspace(-0.1, 0.1, parameter.numel(), dtype=torch.float64).view_as(parameter))
    rows = [json.loads(line) for line in (folder / "triplets.jsonl").read_text().splitlines()][: ROWS * 2]
    for row in rows[:3]:  # so that ranks have different numbers of texts
        row["negative"] = None
    for row in [rows[5], *rows[ROWS:]] if name.endswith("labelled") else []:  # so that one of two ranks has no positive
        row["positive"] = None
    mine = rows[rank * len(rows) // ranks : (rank + 1) * len(rows) // ranks]
    batch = Collate(task.encoder.tokenizer, passes=2)(mine)
    loss = sum(task.losses(batch)) if isinstance(task, SimilarityMapVerifier) else task.batch_loss(batch)
    loss.backward()
    found = {n: p.grad.clone() for n, p in task.named_parameters() if p.grad is not None}
    for gradient in found.values():
        dist.all_reduce(gradient)
        gradient /= ranks
    return found


def main(rank: int, ranks: int, folder: Path) -> None:
    torch.set_num_threads(1)
    torch.Tensor.float = torch.Tensor.double
    dist.init_process_group("gloo", init_method=f"file://{folder / f'ranks_{ranks}'}", rank=rank, world_size=ranks)
    for name in MODELS:
        for kind, chunk_size in (("plain", None), ("cached", 4)):
            found = gradients(name, rank, ranks, folder, chunk_size)
            if rank == 0:
                torch.save(found, folder / f"{name}_{kind}_{ranks}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    if sys.argv[1] == "0":
        main(0, 1, Path(sys.argv[2]))
    main(int(sys.argv[1]), 2, Path(sys.argv[2]))
