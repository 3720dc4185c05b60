"""TwoStageRetriever: search with a verifier's order, and the guard of a semantic cache, from Python."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file

from compret.evaluation.encode import Vectors
from compret.evaluation.rerank import Recall, rerank, verifier_scores
from compret.evaluation.retrieve import rank_documents
from compret.evaluation.tokens import TokenIndex, encode_tokens
from compret.metrics.calibration import Calibration
from compret.nn.encoder import TextEncoder
from compret.nn.verifiers import Verifier
from compret.nn.verifiers.stored import build, describe
from compret.types import UserError

_WEIGHTS, _SETTINGS, _RECALL = "verifier.safetensors", "verifier.json", "recall"


@dataclass(frozen=True)
class Verdict:
    """Whether two texts are the same."""

    score: float
    accept: bool
    """The score reaches the calibrated threshold."""
    probability: float
    """Calibrated, in (0, 1)."""


@dataclass(frozen=True)
class Hit:
    """A text that was found."""

    text: str
    row: int
    """Its place among the indexed texts."""
    score: float
    """The verifier's, with what the recalling cosine counts."""


class TwoStageRetriever:
    """Recalls by pooled cosine, orders by a verifier, and tells whether two texts are the same.

    Args:
        encoder: gives token states and pooled vectors.
        verifier: scores pairs by their similarity maps.
        special_tokens: as the verifier was trained.
        calibration: fitted on validation pairs; without it `same` is an error.
        recall: whose cosine finds the texts, if not the encoder's own, and what it counts beside the verifier's score.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        verifier: Verifier,
        special_tokens: bool = True,
        calibration: Calibration | None = None,
        recall: Recall = Recall(),
    ) -> None:
        if encoder.max_length > verifier.max_tokens:
            raise UserError(f"max_length {encoder.max_length}: the verifier takes maps of {verifier.max_tokens} tokens")
        self.encoder, self.verifier = encoder.eval(), verifier.to(encoder.device).eval()
        self.special_tokens, self.calibration, self.recall = special_tokens, calibration, recall
        self.texts: list[str] = []
        self._indexed: tuple[TokenIndex, Vectors] | None = None

    @classmethod
    def from_pretrained(cls, path: str | Path, device: str = "cpu") -> TwoStageRetriever:
        """Load the folder `export` of a fitted SimilarityMapVerifier.

        Raises:
            UserError: the folder holds no verifier, or its weights do not fit its description.
        """
        folder = Path(path)
        if not (folder / _SETTINGS).is_file():
            raise UserError(f"{folder}: no {_SETTINGS} there; give the export of a fitted verifier")
        settings = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
        verifier = build(settings["verifier"])
        try:
            verifier.load_state_dict(load_file(folder / _WEIGHTS))
        except (RuntimeError, OSError) as error:
            raise UserError(f"{folder / _WEIGHTS}: not the weights that {_SETTINGS} describes") from error
        calibration = Calibration(**settings["calibration"]) if settings["calibration"] else None
        encoder = TextEncoder(str(folder)).to(device)
        recalls = TextEncoder(str(folder / _RECALL)).to(device) if (folder / _RECALL).is_dir() else None
        recall = Recall(recalls, settings.get("recall_weight", 0.0))
        return cls(encoder, verifier, settings["special_tokens"], calibration, recall)

    def index(self, texts: Sequence[str]) -> TwoStageRetriever:
        """Encode the texts to search in, each once; replaces those of an earlier call."""
        if not texts:
            raise UserError("index: no texts; there must be at least one to search in")
        self.texts = list(texts)
        documents = encode_tokens(self.encoder, self.texts, "document", self.special_tokens)
        self._indexed = documents, self.recall.vectors(self.texts, "document", documents)
        return self

    def search(self, queries: Sequence[str], k: int = 10, recall: int = 100) -> list[list[Hit]]:
        """The k best texts of each query by the verifier, among the `recall` best by pooled cosine.

        Raises:
            UserError: nothing was indexed.
        """
        if self._indexed is None:
            raise UserError("search: index texts first")
        if not queries:
            return []
        documents, vectors = self._indexed
        asked = encode_tokens(self.encoder, queries, "query", self.special_tokens)
        # places with leading zeros sort as numbers do, which is the order of ties
        ids = [f"{row:012d}" for row in range(len(self.texts))]
        unit_ND = self.recall.vectors(queries, "query", asked).unit_ND
        recalled = rank_documents(unit_ND, vectors, ids, max(recall, k))
        ranking = rerank(self.verifier, asked, documents, recalled, weight=self.recall.weight)
        ranked = zip(ranking.rows_QK[:, :k].tolist(), ranking.scores_QK[:, :k].tolist(), strict=True)
        return [[Hit(self.texts[r], r, s) for r, s in zip(rows, scores, strict=True)] for rows, scores in ranked]

    def same(self, text_a: str, text_b: str) -> Verdict:
        """Whether two texts say the same, by the threshold that was calibrated on validation pairs.

        Raises:
            UserError: the verifier was never calibrated.
        """
        if self.calibration is None:
            raise UserError("same: the verifier is not calibrated; fit it with near-miss pairs as validation")
        pair = ([text_a], [text_b])
        scores_P, _ = verifier_scores(self.encoder, self.verifier, *pair, self.special_tokens, self.recall)
        score = float(scores_P[0])
        return Verdict(score, self.calibration.accepts(score), self.calibration.probability(score))


def save_verifier(
    folder: Path, verifier: Verifier, special_tokens: bool, calibration: Calibration | None, recall: Recall
) -> None:
    """Write what `TwoStageRetriever.from_pretrained` reads, beside the encoder's files."""
    settings = {
        "verifier": describe(verifier),
        "special_tokens": special_tokens,
        "calibration": asdict(calibration) if calibration else None,
        "recall_weight": recall.weight,
    }
    if recall.encoder is not None:
        recall.encoder.save(folder / _RECALL)
    save_file({k: v.contiguous().cpu() for k, v in verifier.state_dict().items()}, folder / _WEIGHTS)
    (folder / _SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
