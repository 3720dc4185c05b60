"""Validation before the first step, as the paper's configs ask for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import yaml

Run = Callable[..., tuple[int, str]]


def test_all_suites_are_run_before_the_first_step(
    compret: Run, tiny: Path, triplets: Path, beir: Path, tmp_path: Path
) -> None:
    suite = {"class_path": "compret.data.NanoBEIR", "init_args": {"source": str(beir)}}
    (tmp_path / "val.yaml").write_text(yaml.dump({"data": {"init_args": {"validation": [suite]}}}))
    code, said = compret(
        *("fit", "--config", "val.yaml", "--model.backbone", tiny, "--model.max_length", 32),
        *("--data.files", f"[{triplets}]", "--data.batch_size", 8, "--data.workers", 0, "--trainer.max_steps", 2),
        *("--trainer.num_sanity_val_steps", -1, "--trainer.val_check_interval", 2, "--trainer.accelerator", "cpu"),
        *("--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false"),
    )
    assert code == 0, said
    told = Counter(line.split(":")[0] for line in said.splitlines() if ": nDCG@10" in line)
    assert told == {"zoo": 2, "park": 2}
