"""compret: train and benchmark dense retrievers that must tell near-misses from paraphrases."""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """`from compret import Guard`, imported when it is asked for: the light commands need no torch."""
    if name == "Guard":
        from compret.guard import Guard

        return Guard
    if name == "TwoStageRetriever":
        from compret.evaluation.retriever import TwoStageRetriever

        return TwoStageRetriever
    raise AttributeError(f"module 'compret' has no attribute '{name}'")
