"""TwoStageRetriever: search with a verifier's order, and the guard of a semantic cache, from Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compret.evaluation.guard_files import guard_settings, load_verifier, recall_folder, stored_calibration
from compret.evaluation.verifier_scorer import Index, Recall, VerifierScorer
from compret.metrics.calibration import Calibration
from compret.nn.encoder import TextEncoder
from compret.nn.verifiers import Verifier
from compret.types import UserError


@dataclass(frozen=True)
class Verdict:
    """Whether two texts are the same."""

    score: float
    accept: bool
    """The score reaches the calibrated threshold, or the texts are equal."""
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
        self.scorer = VerifierScorer(self.encoder, self.verifier, special_tokens, recall=recall)
        self.calibration = calibration
        self.texts: list[str] = []
        self._indexed: Index | None = None

    @classmethod
    def from_pretrained(
        cls, path: str | Path, device: str = "cpu", verifiers: Sequence[type[Verifier]] = ()
    ) -> TwoStageRetriever:
        """Load the folder `export` of a fitted SimilarityMapVerifier. Its files are data: nothing they name is run.

        Args:
            verifiers: classes beside compret's own that the export may name, such as one of yours.

        Raises:
            UserError: the folder holds no verifier, names another class, or a file is not as it was written.
        """
        folder = Path(path)
        settings = guard_settings(folder)
        verifier = load_verifier(folder, settings, verifiers)
        recalling = recall_folder(folder)
        recall = Recall(
            TextEncoder(str(recalling)).to(device) if recalling else None, settings.number("recall_weight", 0.0)
        )
        encoder = TextEncoder(str(folder)).to(device)
        return cls(encoder, verifier, settings.flag("special_tokens"), stored_calibration(settings), recall)

    def index(self, texts: Sequence[str]) -> TwoStageRetriever:
        """Encode the texts to search in, each once; replaces those of an earlier call."""
        _check_texts("index", texts)
        if not texts:
            raise UserError("index: no texts; there must be at least one to search in")
        self.texts = list(texts)
        self._indexed = self.scorer.index(self.texts, "document")
        return self

    def search(self, queries: Sequence[str], k: int = 10, recall: int = 100) -> list[list[Hit]]:
        """The k best texts of each query by the verifier, among the `recall` best by pooled cosine.

        Raises:
            UserError: nothing was indexed.
        """
        if self._indexed is None:
            raise UserError("search: index texts first")
        _check_texts("search", queries)
        if not queries:
            return []
        asked = self.scorer.index(queries, "query")
        # places with leading zeros sort as numbers do, which is the order of ties
        ids = [f"{row:012d}" for row in range(len(self.texts))]
        recalled = self.scorer.recalled(asked, self._indexed, ids, max(recall, k))
        ranking = self.scorer.reranked(asked, self._indexed, recalled)
        ranked = zip(ranking.rows_QK[:, :k].tolist(), ranking.scores_QK[:, :k].tolist(), strict=True)
        return [[Hit(self.texts[r], r, s) for r, s in zip(rows, scores, strict=True)] for rows, scores in ranked]

    def same(self, text_a: str, text_b: str) -> Verdict:
        """Whether two texts say the same, by the threshold that was calibrated on validation pairs.

        The order of the two makes no difference, and a text is the same as itself, whatever its score.

        Raises:
            UserError: the verifier was never calibrated.
        """
        if self.calibration is None:
            raise UserError("same: the verifier is not calibrated; fit it with near-miss pairs as validation")
        a, b = sorted((text_a, text_b))
        score = float(self.scorer.pairs([a], [b]).scores_P[0])
        return judged(self.calibration, score, a == b)


def judged(calibration: Calibration, score: float, equal: bool) -> Verdict:
    """What a calibration makes of a score; equal texts are the same, whatever theirs is."""
    return Verdict(score, equal or calibration.accepts(score), calibration.probability(score))


def _check_texts(method: str, texts: Sequence[str]) -> None:
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise UserError(f"{method}: takes a list of texts, as in {method}(['a text'])")
