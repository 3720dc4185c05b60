"""Rules that edit a sentence: minimal edits that change its meaning, and rewordings that keep it."""

from compret.data.perturb.paraphrase import paraphrase as paraphrase
from compret.data.perturb.paraphrase import paraphrases as paraphrases
from compret.data.perturb.rules import Perturbation as Perturbation
from compret.data.perturb.rules import perturb as perturb
from compret.data.perturb.rules import perturb_each as perturb_each
from compret.data.perturb.rules import perturbations as perturbations
