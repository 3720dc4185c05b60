"""What one of two ranks does in test_results.py: encode, search, re-rank and score; its results and what it encoded.

    python one_rank_tests.py RANK FOLDER
FOLDER holds tiny/ (the backbone) and texts.json; each rank writes FOLDER/RANK_RANKS.json. Before, rank 0 does it all
alone, as one of one.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn  # imported later, it would keep the group that there is then, and its threads

from compret.evaluation import approximate
from compret.evaluation.approximate import rank_approximately
from compret.evaluation.cosine_scorer import CosineScorer
from compret.evaluation.near_miss import NearMissSet
from compret.evaluation.retrieval import RetrievalSet
from compret.evaluation.retrieve import rank_documents
from compret.evaluation.verifier_scorer import Recall, VerifierScorer
from compret.nn import passes
from compret.nn.encoder import TextEncoder
from compret.nn.verifiers import MapTransformer
from compret.types import Encoded, TokenBatch


def main(rank: int, ranks: int, folder: Path) -> None:
    torch.set_num_threads(1)
    passes.CPU_TOKENS_A_PASS = 64  # so that each rank's shard has several passes
    dist.init_process_group("gloo", init_method=f"file://{folder / f'test_{ranks}'}", rank=rank, world_size=ranks)
    texts = json.loads((folder / "texts.json").read_text())
    encoder, encoded = counting(folder)
    torch.manual_seed(0)
    verifier = MapTransformer(16, 1, 2, 32, max_length=32).eval()
    found: dict[str, Any] = {}
    few = [*texts[:2], texts[0]]  # one pass, so that rank 1's shard is empty
    for size, documents in ((1, few), (1, texts), (2, texts), (23, texts)):
        scorers = CosineScorer(encoder), VerifierScorer(encoder, verifier, recall=Recall(weight=2.0))
        for scorer in scorers:
            encoded.clear()
            ranked = retrieval(documents, size).evaluate(scorer)
            scored = near_misses(documents, size).evaluate(scorer)
            runs = {"run": ranked.run, "recalled": ranked.recall_stage.run if ranked.recall_stage else None}
            case = f"{scorer.name} {'few' if documents is few else size}"
            found[case] = {**runs, "scores": scored.scores_P.tolist(), "encoded": list(encoded)}
    found |= {f"faiss {size}": approximate_search(rank, size) for size in (1, 5)}
    (folder / f"{rank}_{ranks}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


def approximate_search(rank: int, queries: int) -> dict[str, Any]:
    """What is found in a large graph, and in a small one that does not lead everywhere on rank 1.

    Graphs of ranks differ as those do that several threads have built, only more.
    """
    if importlib.util.find_spec("faiss") is None:
        return {}
    approximate._NEIGHBOURS, approximate._BUILD, approximate._LOOK = ((32, 200, 256), (3, 4, 1))[rank]
    generator = torch.Generator().manual_seed(0)
    unit = torch.nn.functional.normalize(torch.randn(1000, 16, generator=generator), dim=1)
    asked, found = torch.nn.functional.normalize(torch.randn(queries, 16, generator=generator), dim=1), {}
    for name, count, depth in (("large", 1000, 10), ("small", 60, 60)):
        ids = [f"{i:04d}" for i in range(count)]
        near, exact = (search(asked, unit[:count], ids, depth) for search in (rank_approximately, rank_documents))
        found[name], found[f"{name} exact"] = near.rows_QK.tolist(), exact.rows_QK.tolist()
    return found


def counting(folder: Path) -> tuple[TextEncoder, list[int]]:
    """The encoder, and the sizes of the passes that it is given."""
    encoder, seen = TextEncoder(str(folder / "tiny")).eval(), []
    forward = encoder.forward

    def counted(batch: TokenBatch) -> Encoded:
        seen.append(len(batch.lengths))
        return forward(batch)

    encoder.forward = counted
    return encoder, seen


def retrieval(texts: list[str], queries: int) -> RetrievalSet:
    ids, asked = [f"d{i}" for i in range(len(texts))], [f"q{i}" for i in range(queries)]
    wanted = {q: {ids[i]: 1} for i, q in enumerate(asked)}
    return RetrievalSet("zoo", "BEIR", ids, texts, asked, [text[5:] for text in texts[:queries]], wanted, "")


def near_misses(texts: list[str], pairs: int) -> NearMissSet:
    candidates, labels = [f"very {text}" for text in texts[:pairs]], [i % 2 for i in range(pairs)]
    return NearMissSet("pairs", texts[:pairs], candidates, labels, ["any"] * pairs, "")


if __name__ == "__main__":
    if sys.argv[1] == "0":
        main(0, 1, Path(sys.argv[2]))
    main(int(sys.argv[1]), 2, Path(sys.argv[2]))
