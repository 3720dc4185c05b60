"""The one path by which fit, test and the Python API measure a model: suites, scorers, results."""

from compret.evaluation import near_miss as near_miss  # so that results of these kinds can be read
from compret.evaluation import nevir as nevir
from compret.evaluation import retrieval as retrieval
