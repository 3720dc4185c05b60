"""Verifiers: what reads a similarity map. One file each; a new one is one more file and one line of YAML."""

from compret.nn.verifiers.base import Verifier as Verifier
from compret.nn.verifiers.cnn import MapCNN as MapCNN
from compret.nn.verifiers.cosine import PooledCosine as PooledCosine
from compret.nn.verifiers.maxsim import MaxSim as MaxSim
from compret.nn.verifiers.mean import MeanMap as MeanMap
from compret.nn.verifiers.penalty import ConditionalPenalty as ConditionalPenalty
from compret.nn.verifiers.residual import Residual as Residual
from compret.nn.verifiers.soft_alignment import SoftAlignment as SoftAlignment
from compret.nn.verifiers.transformer import MapTransformer as MapTransformer
