"""The LightningModules: wiring between encoder, loss, optimiser and suites; no tensor arithmetic."""

from compret.tasks.cross_encoder import CrossEncoder as CrossEncoder
from compret.tasks.dual_encoder import DualEncoder as DualEncoder
from compret.tasks.optimizer import AdamW as AdamW
from compret.tasks.verifier import SimilarityMapVerifier as SimilarityMapVerifier
