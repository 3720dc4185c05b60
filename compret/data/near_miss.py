"""NearMissPairs: near-miss files as a suite, with the pairs on which a threshold may be chosen."""

from __future__ import annotations

from dataclasses import replace

from compret.data.near_miss_files import PairFilter, joined, load_near_misses, near_miss_name
from compret.data.records import real_place
from compret.evaluation.near_miss import NearMissSet
from compret.evaluation.suite import Suite
from compret.types import UserError


class NearMissPairs(Suite):
    """Near-miss files, each a set named by its file's stem.

    Args:
        files: files of anchor, candidate, label, category; `minimal_pairs:test` is the embedded one, MinimalPairs.
        validation_files: pairs on which the best-F1 threshold is chosen; f1 and threshold are null without them.
        min_candidate_length: characters; pairs of shorter candidates are left out and counted (21 in the paper's test).
        drop_containing: pairs whose candidate contains one of these texts are left out and counted (the paper's test
            drops three placeholders).
    """

    holds = NearMissSet

    def __init__(
        self,
        files: list[str] | None = None,
        validation_files: list[str] | None = None,
        min_candidate_length: int = 0,
        drop_containing: list[str] | None = None,
    ) -> None:
        super().__init__()
        self.files = ["minimal_pairs:test"] if files is None else files
        embedded = ["minimal_pairs:validation"] if files is None else []
        self.validation_files = embedded if validation_files is None else validation_files
        self.keep = PairFilter(min_candidate_length, tuple(drop_containing or ()))
        if not self.files:
            raise UserError("data.files: name at least one near-miss file")
        if min_candidate_length < 0 or "" in self.keep.drop_containing:
            raise UserError("data.min_candidate_length is at least 0, and data.drop_containing holds no empty text")
        if set(self.places()) & set(map(real_place, self.validation_files)):
            raise UserError("data.validation_files: a threshold may not be chosen on a test file")

    def names(self) -> list[str]:
        return [near_miss_name(file) for file in self.files]

    def load(self, index: int) -> NearMissSet:
        """Read a file and the validation files.

        Raises:
            UserError: they cannot be read, or a validation file holds the same pairs.
        """
        test = load_near_misses(self.files[index], self.keep)
        validation = [load_near_misses(file, self.keep) for file in self.validation_files]
        for file, found in zip(self.validation_files, validation, strict=True):
            if found.fingerprint == test.fingerprint:
                raise UserError(f"data.validation_files: {file} holds the pairs of {self.files[index]}, a test file")
        return replace(test, validation=joined(validation) if validation else None)

    def places(self) -> list[str]:
        return list(map(real_place, self.files))
