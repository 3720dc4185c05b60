"""SimilarityMapVerifier: an encoder and what reads the similarity map of its tokens, trained frozen or end to end."""

from __future__ import annotations

import logging
from typing import Any

from torch import Tensor

from compret.distributed import is_sharded, missing_calls
from compret.evaluation.approximate import Search
from compret.evaluation.verifier_scorer import Recall, VerifierScorer
from compret.losses import Contrast, Loss
from compret.nn.backbone import MINILM
from compret.nn.chunks import checked_size, encode_each, in_chunks, with_idle
from compret.nn.cpu import use_fast_dropout
from compret.nn.encoder import TextEncoder
from compret.nn.encoder_options import EncoderOptions
from compret.nn.map_scores import MapScores
from compret.nn.pair_scoring import BUDGET, TokenStates, joined, token_states
from compret.nn.verifiers import PooledCosine, Verifier
from compret.nn.verifiers.description import describe
from compret.tasks.batch_scores import pair_scores
from compret.tasks.calibrated import CalibratedRunner
from compret.tasks.frozen import StateCache
from compret.tasks.limits import check_least
from compret.tasks.optimizer import AdamW
from compret.tasks.retention import Retention
from compret.types import PairScores, TokenBatch, TripletBatch, UserError

log = logging.getLogger(__name__)


class SimilarityMapVerifier(CalibratedRunner):
    """Trains and tests a verifier: it re-ranks what pooled cosine recalls, and tells near-misses from paraphrases.

    Args:
        verifier: scores a pair from its similarity map; pooled cosine if not given.
        backbone: a folder (transformers or sentence-transformers) or a hub id, owner/name or owner/name@revision.
        frozen: train the verifier alone; each text is encoded once and its states are kept.
        special_tokens: keep [CLS], [SEP] and the like in the maps (the paper does).
        loss: of the scores of a batch's pairs.
        optimizer: of the encoder; its gradient is clipped on its own.
        verifier_optimizer: of the verifier; its gradient is clipped on its own.
        recall: folder or hub id of an encoder that recalls in place of the verifier's own, which training changes.
        recall_weight: of the recalling cosine, added to the verifier's score when documents or pairs are tested.
        retention: weight of 1 - cosine between pooled vectors and the untouched encoder's, over the batch's texts.
        false_accept_rate: share of near-misses that the calibrated threshold may accept.
        search: how documents are found when testing: exact, or faiss (approximate).
        chunk_size: texts whose activations are held at a time (GradCache); all of the batch's if not given.
        budget: floats that a block of pairs may hold; it changes no number.
        disk_budget: bytes of token states that frozen training may keep.
        options: the others of the encoder, `EncoderOptions`.
    """

    def __init__(
        self,
        verifier: Verifier | None = None,
        backbone: str = MINILM,
        frozen: bool = False,
        special_tokens: bool = True,
        loss: Loss = Contrast(),
        optimizer: AdamW = AdamW(),
        verifier_optimizer: AdamW = AdamW(lr=1e-3),
        recall: str | None = None,
        recall_weight: float = 0.0,
        retention: float = 0.0,
        false_accept_rate: float = 0.05,
        search: Search = "exact",
        chunk_size: int | None = None,
        budget: int = BUDGET,
        disk_budget: int = 8 << 30,
        **options: Any,
    ) -> None:
        super().__init__(false_accept_rate)
        check_least(0, retention=retention, recall_weight=recall_weight, disk_budget=disk_budget)
        check_least(1, budget=budget)
        self.verifier = PooledCosine() if verifier is None else verifier
        self.encoder = TextEncoder(backbone, **options)
        self.recipe = {
            **self.encoder.options.recipe(),
            "verifier": describe(self.verifier),
            "frozen": frozen,
            "special_tokens": special_tokens,
            "recall": recall,
            "recall_weight": recall_weight,
        }
        use_fast_dropout(self.verifier, self.encoder.cpu_kernels.faster)
        if self.encoder.max_length > self.verifier.max_tokens:
            raise UserError(
                f"max_length {self.encoder.max_length}: the verifier takes maps of {self.verifier.max_tokens} tokens"
            )
        if frozen and self.encoder.pooled_width != self.encoder.width:
            raise UserError(f"model.frozen: the Dense module of {backbone} changes the width; train end to end")
        if frozen:
            self.encoder.requires_grad_(False)
        self.frozen, self.special_tokens = frozen, special_tokens
        self.loss, self.budget = loss, budget
        self.chunk_size, self.search = checked_size(chunk_size), search
        self.optimizer, self.verifier_optimizer = optimizer, verifier_optimizer
        self.recall = Recall(_recalling(recall, self.encoder.options) if recall else None, recall_weight)
        self.retention = Retention(self.encoder, retention)
        self.cache = StateCache(self.encoder.width, disk_budget)

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if str(self.trainer.precision) in ("bf16-true", "16-true"):
            mixed = str(self.trainer.precision).replace("true", "mixed")
            raise UserError(f"trainer.precision {self.trainer.precision}: verifiers score in float32; use {mixed}")

    def on_fit_start(self) -> None:
        super().on_fit_start()
        if self.frozen and is_sharded(self.encoder):
            raise UserError(
                "model.frozen: each rank encodes what it has not seen, so no strategy may shard it; use ddp"
            )

    def configure_optimizers(self) -> Any:
        return self.optimised((self.encoder, self.optimizer), (self.verifier, self.verifier_optimizer))

    def training_step(self, batch: TripletBatch, batch_idx: int) -> Tensor:
        loss, retained = self.losses(batch)
        self.log("train_loss", loss.detach(), prog_bar=True, batch_size=len(batch))
        if self.retention.weight:
            self.log("train_retention", retained.detach(), batch_size=len(batch))
        return loss + retained

    def batch_loss(self, batch: TripletBatch) -> Tensor:
        return self.losses(batch)[0]

    def scorer(self) -> VerifierScorer:
        if self.recall.encoder is not None:
            self.recall.encoder.to(self.device)
        return VerifierScorer(
            self.encoder, self.verifier, self.special_tokens, self.search, self.recall, self.threshold
        )

    def losses(self, batch: TripletBatch) -> tuple[Tensor, Tensor]:
        """The verifier's loss on this rank's anchors, and what the pooled vectors lost of the untouched encoder's."""
        if self.frozen:
            states = self.cache.states(self.encoder, batch, self.special_tokens)
            return self.loss(self.scores(batch, states)), states.pooled_BD.new_zeros(())
        passes = in_chunks(batch.passes, self.chunk_size)
        idle = missing_calls(self.encoder, len(passes))
        encoded = encode_each(self._states, with_idle(passes, idle), self.chunk_size)
        states = joined(encoded)[batch.places]
        retained = self.retention(passes, [e.pooled_BD for e in encoded[: len(passes)]])
        return self.loss(self.scores(batch, states)), retained

    def _states(self, tokens: TokenBatch) -> TokenStates:
        return token_states(self.encoder(tokens), self._spans(tokens))

    def scores(self, batch: TripletBatch, states: TokenStates) -> PairScores:
        """What the loss needs, given the states of all anchors, positives and negatives."""
        return pair_scores(batch, self.loss.needs, MapScores(self.verifier, states, self.budget))

    def _spans(self, tokens: TokenBatch) -> list[tuple[int, int]]:
        if self.special_tokens:
            return [(0, length) for length in tokens.lengths]
        return [self.encoder.tokenizer.inner(length) for length in tokens.lengths]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A frozen encoder is not saved: its backbone and revision are."""
        super().on_save_checkpoint(checkpoint)
        if self.frozen:
            self.leave_out_encoder(checkpoint)

    @property
    def scored_with(self) -> dict[str, Any]:
        weight = self.recall.weight
        return {
            **super().scored_with,
            "special_tokens": self.special_tokens,
            "recall_weight": weight,
            "recall": self.recall.encoder.revision if weight and self.recall.encoder else None,
        }


def _recalling(backbone: str, like: EncoderOptions) -> TextEncoder:
    encoder = TextEncoder(backbone, max_length=like.max_length, cpu_kernels=like.cpu_kernels)
    return encoder.eval().requires_grad_(False)
