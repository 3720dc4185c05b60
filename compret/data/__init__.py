"""Rows and texts: training triplets, retrieval sets, near-miss pairs, and how they are batched."""

from compret.data.suites import NanoBEIR as NanoBEIR
from compret.data.suites import NearMissPairs as NearMissPairs
from compret.data.suites import NevIR as NevIR
from compret.data.suites import Suites as Suites
from compret.data.suites import Texts as Texts
from compret.data.triplets import Triplets as Triplets
