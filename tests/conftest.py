"""A tiny model built from a config, small files of every kind, and the real data where it lies."""

from __future__ import annotations

import itertools
import json
import os
import resource
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.processes import kill_all

os.environ.setdefault("HF_HUB_OFFLINE", "1")
_TABLES = tempfile.TemporaryDirectory(prefix="compret-tests-")
os.environ.setdefault("HF_DATASETS_CACHE", _TABLES.name)  # the tests' files are of no use to anyone after them
torch.set_num_threads(1)  # tiny models gain nothing from more, and threads of parallel tests spin against each other
os.environ.setdefault("COMPRET_MORE_RANKS", "1")  # two ranks are tested on one core too
os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
import_module("lightning.pytorch")  # whose log writes for ever to the stderr of its import, which must be no test's

WORDS = (
    "the a an not no never man woman dog cat bird bit bites chased saw red blue small large old new house tree river "
    "before after above below left right first last opens closes file list of in on to and is was does do with "
    "value key index returns raises reads writes true false if all none every some many few very"
).split()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers folder: BERT of width 32, two layers, mean pooling, 32 tokens, seeded weights."""
    return make_backbone(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_encoder(tiny: Path) -> Any:
    """The tiny model as a TextEncoder in evaluation mode; tests must not change it."""
    from compret.nn.encoder import TextEncoder

    return TextEncoder(str(tiny)).eval()


@pytest.fixture(scope="session")
def new_backbone() -> Callable[..., Path]:
    """Makes further tiny models: a folder, its pooling, its prompts."""
    return make_backbone


def make_backbone(folder: Path, pooling: str = "mean", prompts: Mapping[str, str] | None = None) -> Path:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [
        *"abcdefghijklmnopqrstuvwxyz0123456789.,:;'-?!",
        *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789"),
    ]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys([*special, *letters, *WORDS]))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    names = {
        "unk_token": "[UNK]",
        "pad_token": "[PAD]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=32, **names)
    fast.save_pretrained(str(folder))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = BertModel(
            BertConfig(
                vocab_size=len(vocabulary),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
                max_position_embeddings=64,
                initializer_range=0.2,
            )
        )
    model.save_pretrained(str(folder))
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling")]
    write_json(
        folder / "modules.json",
        [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(kinds)
        ],
    )
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": 32, "do_lower_case": False})
    write_json(
        folder / "1_Pooling" / "config.json",
        {
            "word_embedding_dimension": 32,
            "pooling_mode_cls_token": pooling == "cls",
            "pooling_mode_mean_tokens": pooling == "mean",
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
    )
    if prompts:
        write_json(folder / "config_sentence_transformers.json", {"prompts": dict(prompts)})
    return folder


def write_json(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def sentences() -> list[str]:
    """Sixty different sentences of different lengths."""
    animals, verbs, places = (
        ["dog", "cat", "bird", "man", "woman"],
        ["bit", "chased", "saw"],
        ["house", "tree", "river", "file"],
    )
    return [
        f"the {adjective}{a} {v} the {b} in the {p}"
        for i, (a, v, p) in enumerate((a, v, p) for a in animals for v in verbs for p in places)
        for b in [animals[(animals.index(a) + 1 + i % 3) % 5]]
        for adjective in ["very old and very small " * (i % 4)]
    ]


@pytest.fixture
def triplets(tmp_path: Path, sentences: list[str]) -> Path:
    """A triplet file of 59 rows with negatives."""
    rows = [
        {"anchor": a, "positive": f"{b} {a}", "negative": a.replace(" bit ", " saw ").replace("the", "no", 1)}
        for a, b in itertools.pairwise(sentences)
    ]
    return write_lines(tmp_path / "triplets.jsonl", rows)


@pytest.fixture
def beir(tmp_path: Path, sentences: list[str]) -> Path:
    """A folder of two BEIR directories, `zoo` and `park`; zoo has an empty document and a repeated text."""
    for name, texts in (("zoo", [*sentences[:30], "", sentences[0]]), ("park", sentences[20:50])):
        corpus = [{"_id": f"d{i}", "title": "", "text": text} for i, text in enumerate(texts)]
        write_lines(tmp_path / "beir" / name / "corpus.jsonl", corpus)
        queries = [{"_id": f"q{i}", "text": " ".join(texts[i].split()[-5:])} for i in range(0, 20, 2)]
        write_lines(tmp_path / "beir" / name / "queries.jsonl", queries)
        qrels = tmp_path / "beir" / name / "qrels" / "test.tsv"
        qrels.parent.mkdir()
        judged = [f"q{i}\td{j}\t{grade}" for i in range(0, 18, 2) for j, grade in ((i, 2), (i + 1, 1), (i + 2, 0))]
        qrels.write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n", encoding="utf-8")
    return tmp_path / "beir"


@pytest.fixture
def pairs(tmp_path: Path, sentences: list[str]) -> Path:
    """A near-miss file: each anchor with a paraphrase and a near-miss of one of two categories."""
    return write_pairs(tmp_path / "pairs.jsonl", sentences[:24])


def write_pairs(path: Path, texts: Iterable[str]) -> Path:
    rows = []
    for i, text in enumerate(texts):
        swapped = " ".join(reversed(text.split()))
        rows.append({"anchor": text, "candidate": f"very {text}", "label": 1, "category": "paraphrase"})
        rows.append({"anchor": text, "candidate": swapped, "label": 0, "category": ["role-swap", "order"][i % 2]})
    return write_lines(path, rows)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data: COMPRET_DATA, or ../shared/data beside the checkout."""
    folder = Path(os.environ.get("COMPRET_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no real data: set COMPRET_DATA to its folder")
    return folder


@pytest.fixture
def compret(
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., tuple[int, str]]:
    """Run the command line in `tmp_path` in this process: the exit code, and what it wrote and logged."""
    from compret.__main__ import main

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.chdir(tmp_path)
        caplog.clear()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, "\n".join([captured.out, captured.err, *caplog.messages])

    return run


@pytest.fixture
def embedded(tmp_path: Path, triplets: Path, beir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small stand-in for the embedded data: PyDoc need not be made, and MinimalPairs has every fortieth item."""
    from compret.data import minimal_pairs
    from compret.data import pydoc as module

    read = minimal_pairs.read_items
    monkeypatch.setattr(minimal_pairs, "read_items", lambda split: read(split)[::40])

    (tmp_path / "embedded").mkdir()
    for name, content in (("stdlib", "zoo"), ("dev", "park")):
        (tmp_path / "embedded" / name).symlink_to(beir / content)
    small = module.PyDoc(
        retrieval=triplets,
        beir=tmp_path / "embedded",
        validation=tmp_path / "embedded",
        fingerprint={},
    )
    monkeypatch.setattr(module, "pydoc", lambda: small)
    return tmp_path / "embedded"


@pytest.fixture
def files_of_a_kilobyte() -> Iterator[None]:
    """As on a full disk, a longer file is refused when its room is asked for."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    yield
    kill_all()
