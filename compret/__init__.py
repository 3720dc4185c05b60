"""compret: train and benchmark dense retrievers that must tell near-misses from paraphrases."""

__version__ = "0.1.0"
