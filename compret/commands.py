"""The commands that run a model: what each is for, the data that it takes, and its own options with their meaning."""

from __future__ import annotations

from dataclasses import dataclass

TRAINER_DEFAULTS = {
    "use_distributed_sampler": False,
    "num_sanity_val_steps": 0,
    "log_every_n_steps": 10,
    "enable_model_summary": False,
}
"""Where they are not Lightning's."""
TRAINER = "lightning.pytorch.trainer.trainer.Trainer"
DEFAULT_MODEL = "compret.tasks.DualEncoder"

_CKPT_PATH = (
    "A checkpoint, an export, or last or best; a checkpoint is a file or the folder of a sharded one, last and best "
    "are those of the newest run of --name. "
    "Its options are the model's where neither the command line nor a config says otherwise."
)
_SHARED = {
    "config": "A file, or the name of a shipped one; compret ls lists them, and several may follow each other.",
    "name": "Folders go to logs/NAME and checkpoints/NAME; a version in there for each run.",
    "ckpt_path": _CKPT_PATH,
    "seed_everything": "Of all random numbers; the same seed, config and number of ranks, the same weights.",
    "matmul_precision": "Of float32 matrix products: highest is float32; high is TF32 on NVIDIA GPUs, and faster.",
    "weights_only": "Of no effect: checkpoints are always read as data alone.",
    "print_config": "Print all options with their values; run nothing.",
}


@dataclass(frozen=True)
class Command:
    """One of fit, validate, test, predict."""

    purpose: str
    example: str
    data: str
    """The class of --data where none is named."""
    usual: dict[str, str]
    """The options that people change -> what they are, in a few words."""
    options: dict[str, str]
    """Those of the command itself -> what they mean."""


COMMANDS = {
    "fit": Command(
        "Train an encoder or a verifier, with checkpoints, validation and an export that SentenceTransformer loads.",
        "compret fit --config encoder_structneg.yaml --data.files [mine.jsonl]",
        "compret.data.Triplets",
        {
            "model.backbone": "a folder or hub id (owner/name)",
            "data.files": "rows of anchor, positive, negative: [a.jsonl,b.csv], hub ids, pydoc:retrieval",
            "data.batch_size": "rows a step and a device",
            "trainer.max_steps": "optimiser steps; one epoch if nothing says how long",
            "model.optimizer.lr": "learning rate at its peak",
        },
        {**_SHARED, "checkpoint_every": "Steps between saves of last.ckpt."},
    ),
    "validate": Command(
        "Run suites as validation: numbers on the terminal and in the logs, no results.json.",
        "compret validate --config nearmiss.yaml --data.files [pairs.jsonl]",
        "compret.data.NanoBEIR",
        {
            "model.backbone": "a folder or hub id (owner/name)",
            "model.max_length": "tokens a text may have; the backbone's if not given",
            "data.source": "of NanoBEIR: hub id, BEIR directories, or pydoc",
            "data.datasets": "names of those, such as [msmarco,nq]",
            "data.files": "of NearMissPairs: anchor, candidate, label, category",
        },
        {**_SHARED, "verbose": "Print Lightning's own table too."},
    ),
    "test": Command(
        "Run benchmark suites and write results.json; NanoBEIR with the default backbone if nothing is given.",
        "compret test --config nearmiss.yaml --data.files [pairs.jsonl] --model.backbone FOLDER_OR_ID",
        "compret.data.NanoBEIR",
        {
            "model.backbone": "a folder or hub id (owner/name)",
            "model.max_length": "tokens a text may have; the backbone's if not given",
            "data.source": "of NanoBEIR: hub id, BEIR directories, or pydoc",
            "data.datasets": "names of those, such as [msmarco,nq]",
            "data.files": "of NearMissPairs: anchor, candidate, label, category",
        },
        {**_SHARED, "verbose": "Print Lightning's own table too."},
    ),
    "predict": Command(
        "Embed the lines of a text file.",
        "compret predict --data.file texts.txt --data.output embeddings.npy",
        "compret.data.Texts",
        {
            "model.backbone": "a folder or hub id (owner/name)",
            "model.max_length": "tokens a text may have; the backbone's if not given",
            "data.file": "the texts, one a line; must be given",
            "data.output": "where the vectors go: .npy or .parquet",
            "data.kind": "the prompt that the texts get: query or document",
        },
        {**_SHARED, "return_predictions": "Of no effect: vectors go to data.output."},
    ),
}
