"""A transformer over both texts of a pair at once, and a head that gives the pair its score."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from compret.nn.encoder import TextEncoder
from compret.nn.joint_tokens import Joiner, Joint, Pairs, TextIds
from compret.nn.passes import passes_of, tokens_a_pass
from compret.types import UserError


class PairHead(nn.Module):
    """Scores of pairs from what the transformer makes of them, and from the pooled cosine of the two texts.

    With u and v the means of the first and the second text's states, h the first token's state: an MLP of
    [h, |u - v|, u * v] (the features of InferSent, Conneau et al. 2017, arXiv 1705.02364), plus weight * cosine.

    Args:
        width: of a state.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.LayerNorm(3 * width), nn.Linear(3 * width, width), nn.GELU(), nn.Linear(width, 1))
        self.cosine_weight = nn.Parameter(torch.ones(()))

    def forward(self, states_PMD: Tensor, joint: Joint, cosine_P: Tensor) -> Tensor:
        """float32, `(P,)`: a logit of sameness."""
        second_PM1 = joint.second_PM.unsqueeze(2)
        first_PM1 = joint.tokens.mask_BM.unsqueeze(2) - second_PM1
        u_PD, v_PD = ((states_PMD * part).sum(1) / part.sum(1) for part in (first_PM1, second_PM1))
        features = torch.cat([states_PMD[:, 0], (u_PD - v_PD).abs(), u_PD * v_PD], dim=1)
        return self.mlp(features).squeeze(1) + self.cosine_weight * cosine_P  # type: ignore[no-any-return]


class CrossTransformer(nn.Module):
    """The layers of an encoder, copied and trained over joint sequences.

    Args:
        encoder: whose layers are copied, with those that it has frozen.

    Raises:
        UserError: two of its texts do not fit into one sequence.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        super().__init__()
        self.transformer: Any = copy.deepcopy(encoder.backbone)
        self.head = PairHead(encoder.width)
        self.joiner = Joiner.of(encoder.tokenizer)
        longest = 2 * encoder.max_length + len(self.joiner.between) - self.joiner.dropped
        if longest > encoder.most_tokens:
            raise UserError(
                f"max_length {encoder.max_length}: two texts are up to {longest} tokens, and {encoder.name} takes "
                f"{encoder.most_tokens}; lower --model.max_length by {-(-(longest - encoder.most_tokens) // 2)}"
            )

    def forward(self, joint: Joint, cosine_P: Tensor) -> Tensor:
        """Scores of P pairs, `(P,)`, float32; of the order that they are given in."""
        given = {"input_ids": joint.tokens.ids_BM, "attention_mask": joint.tokens.mask_BM}
        if getattr(self.transformer.config, "type_vocab_size", 0) > 1:
            given["token_type_ids"] = joint.second_PM
        states_PMD = self.transformer(**given).last_hidden_state
        with torch.autocast(states_PMD.device.type, enabled=False):
            return self.head(states_PMD.float(), joint, cosine_P.float())  # type: ignore[no-any-return]

    def score(self, left: TextIds, right: TextIds, pairs_P2: Pairs, cosine_P: Tensor) -> Tensor:
        """Scores of any number of pairs, `(P,)`, in passes of similar length; those change no score.

        Args:
            pairs_P2: a text of the left and one of the right each.
            cosine_P: their pooled cosines, on the device.
        """
        device = cosine_P.device
        if len(pairs_P2) == 0:
            return torch.zeros(0, device=device)
        groups = passes_of(self.joiner.lengths(left, right, pairs_P2), tokens_a_pass(device))
        scores = [
            self(self.joiner.join(left, right, pairs_P2[group], device), cosine_P[torch.from_numpy(group).to(device)])
            for group in groups
        ]
        return torch.cat(scores)[torch.from_numpy(np.argsort(np.concatenate(groups))).to(device)]
