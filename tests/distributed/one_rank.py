"""What one of two ranks does in test_two_ranks: its half of the rows, and the mean of both ranks' gradients.

    python one_rank.py RANK RANKS FOLDER MODEL
FOLDER holds tiny/ (the backbone) and triplets.jsonl; the gradients go to FOLDER/MODEL_RANKS.pt.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from compret.data.collate import Collate
from compret.losses import Binary
from compret.nn.verifiers import MapTransformer, MaxSim
from compret.tasks import DualEncoder, SimilarityMapVerifier

ROWS = 7


def model(name: str, backbone: str) -> DualEncoder | SimilarityMapVerifier:
    torch.manual_seed(0)
    if name == "encoder":
        return DualEncoder(backbone)
    verifier = MaxSim() if name == "maxsim" else MapTransformer(16, 1, 2, 32, max_length=32)
    return SimilarityMapVerifier(verifier, backbone, loss=Binary() if name == "binary" else None)


def main(rank: int, ranks: int, folder: Path, name: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / f'{name}_{ranks}'}", rank=rank, world_size=ranks)
    task = model(name, str(folder / "tiny")).eval()
    rows = [json.loads(line) for line in (folder / "triplets.jsonl").read_text().splitlines()][: ROWS * 2]
    rows[3]["negative"] = None
    mine = rows[rank * len(rows) // ranks : (rank + 1) * len(rows) // ranks]
    batch = Collate(task.encoder.tokenizer, passes=2)(mine)
    loss = task.contrast(batch) if isinstance(task, DualEncoder) else task.losses(batch)[0]
    loss.backward()
    gradients = {n: p.grad.clone() for n, p in task.named_parameters() if p.grad is not None}
    for gradient in gradients.values():
        dist.all_reduce(gradient)
        gradient /= ranks
    if rank == 0:
        torch.save(gradients, folder / f"{name}_{ranks}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
