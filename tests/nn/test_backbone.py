"""A model folder is read as data: whole, of its own size, from its own files alone, or refused in one line."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer

from compret.evaluation.encode import encode
from compret.nn.backbone import load_backbone
from compret.nn.encoder import LoRA, TextEncoder
from compret.types import UserError

Change = Callable[[Path], object]


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.canary}",)


def changed(name: str, **values: Any) -> Change:
    """Sets keys of a JSON file; those that are ... are removed."""

    def change(folder: Path) -> None:
        path = folder / name
        content = json.loads(path.read_text()) if path.exists() else {}
        content = {k: v for k, v in {**content, **values}.items() if v is not ...}
        path.write_text(json.dumps(content))

    return change


def written(name: str, content: str | bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def module(**values: Any) -> Change:
    """A further module in modules.json."""

    def change(folder: Path) -> None:
        path = folder / "modules.json"
        path.write_text(json.dumps([*json.loads(path.read_text()), values]))

    return change


def tensors(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Change:
    def apply(folder: Path) -> None:
        path = folder / "model.safetensors"
        save_file(change(load_file(path)), path, {"format": "pt"})

    return apply


def poisoned(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    state["encoder.layer.1.output.dense.weight"][0, 0] = float("nan")
    return state


def cut(share: float) -> Change:
    def change(folder: Path) -> None:
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    return change


def lying_header(folder: Path) -> None:
    """A header that says a hundred times the bytes that there are."""
    path = folder / "model.safetensors"
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    path.write_bytes(struct.pack("<Q", length * 100) + content[8:])


def lying_shape(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    header["embeddings.word_embeddings.weight"]["shape"] = [1 << 40, 1 << 20]
    told = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(told)) + told + content[8 + length :])


def linked(name: str, target: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return change


def fifo(name: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return change


def without(*names: str) -> Change:
    return lambda folder: [(folder / name).unlink() for name in names]


def pickled(content: Callable[[Path], object]) -> Change:
    def change(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        torch.save(content(folder), folder / "pytorch_model.bin")

    return change


def bomb(folder: Path) -> None:
    """An archive of a few kilobytes that unpacks to 64 MiB."""
    torch.save(load_file(folder / "model.safetensors"), folder / "whole.bin")
    (folder / "model.safetensors").unlink()
    with (
        zipfile.ZipFile(folder / "whole.bin") as old,
        zipfile.ZipFile(folder / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.infolist():
            new.writestr(entry.filename, bytes(1 << 26) if entry.filename.endswith("/data/0") else old.read(entry))
    (folder / "whole.bin").unlink()


DEEP = "[" * 100_000 + "]" * 100_000
REFUSED: dict[str, Change] = {
    "config: broken": written("config.json", "{"),
    "config: a list": written("config.json", "[]"),
    "config: a number": written("config.json", "3"),
    "config: not text": written("config.json", b"\xff\xfe\x00"),
    "config: deep": written("config.json", f'{{"a": {DEEP}}}'),
    "config: NaN": written("config.json", '{"model_type": "bert", "layer_norm_eps": NaN}'),
    "config: a bomb": written("config.json", json.dumps({"a": "x" * (5 << 20)})),
    "config: no kind": changed("config.json", model_type=...),
    "config: an odd kind": changed("config.json", model_type="nothing"),
    "config: text for a width": changed("config.json", hidden_size="wide"),
    "config: huge width": changed("config.json", hidden_size=1 << 21),
    "config: huge width and heads": changed("config.json", hidden_size=1 << 40, num_attention_heads=1 << 20),
    "config: huge layers": changed("config.json", num_hidden_layers=1 << 30),
    "config: huge vocabulary": changed("config.json", vocab_size=1 << 50),
    "config: huge positions": changed("config.json", max_position_embeddings=1 << 50),
    "config: a negative width": changed("config.json", hidden_size=-32),
    "config: no heads": changed("config.json", num_attention_heads=0),
    "config: a smaller vocabulary": changed("config.json", vocab_size=10),
    "config: a layer more": changed("config.json", num_hidden_layers=3),
    "config: a layer less": changed("config.json", num_hidden_layers=1),
    "config: an odd activation": changed("config.json", hidden_act="os.system"),
    "config: positions in words": changed("config.json", max_position_embeddings="many"),
    "config: attention from the hub": changed("config.json", _attn_implementation="evil/kernel"),
    "config: attention from the hub, deeper": changed("config.json", text_config={"attn_implementation": "evil/k:f"}),
    "config: quantised": changed("config.json", quantization_config={"quant_method": "bitsandbytes"}),
    "config: weights elsewhere": changed("config.json", transformers_weights="../other.safetensors"),
    "adapters": written("adapter_config.json", "{}"),
    "modules: broken": written("modules.json", "["),
    "modules: a long path": module(type="x.Dense", path="x" * 5000),
    "modules: a mapping": written("modules.json", '{"a": 1}'),
    "modules: numbers": written("modules.json", "[1, 2]"),
    "modules: no type": module(path="", name="2"),
    "modules: a type that is a number": module(type=3, path=""),
    "modules: a type that is run": module(type="os.system", path=""),
    "modules: a path out": module(type="x.Dense", path="../1_Pooling"),
    "modules: an absolute path": module(type="x.Dense", path="/etc"),
    "modules: a NUL": module(type="x.Dense", path="a\0b"),
    "modules: twice": module(type="x.Pooling", path="1_Pooling"),
    "pooling: two": changed("1_Pooling/config.json", pooling_mode_cls_token=True),
    "pooling: another": changed("1_Pooling/config.json", pooling_mode="weightedmean"),
    "pooling: a number": changed("1_Pooling/config.json", pooling_mode=3),
    "length: text": changed("sentence_bert_config.json", max_seq_length="long"),
    "length: 0": changed("sentence_bert_config.json", max_seq_length=0),
    "length: a half": changed("sentence_bert_config.json", max_seq_length=8.5),
    "prompts: numbers": changed("config_sentence_transformers.json", prompts={"query": 3}),
    "prompts: a list": changed("config_sentence_transformers.json", prompts=["query: "]),
    "prompts: broken": written("config_sentence_transformers.json", '{"prompts"'),
    "similarity: another": changed("config_sentence_transformers.json", similarity_fn_name="levenshtein"),
    "similarity: a number": changed("config_sentence_transformers.json", similarity_fn_name=1),
    "weights: none": without("model.safetensors"),
    "weights: empty": written("model.safetensors", b""),
    "weights: one byte": written("model.safetensors", b"1"),
    "weights: not those": written("model.safetensors", b"PK\x03\x04 not an archive"),
    "weights: cut in the header": cut(0.01),
    "weights: cut": cut(0.5),
    "weights: cut by little": cut(0.999),
    "weights: a header that lies": lying_header,
    "weights: a shape that lies": lying_shape,
    "weights: other names": tensors(lambda state: {f"x.y.{k}": v for k, v in state.items()}),
    "weights: a layer is missing": tensors(lambda s: {k: v for k, v in s.items() if "layer.1." not in k}),
    "weights: a bias is missing": tensors(lambda s: {k: v for k, v in s.items() if k != "embeddings.LayerNorm.bias"}),
    "weights: a layer too many": tensors(
        lambda s: {**s, **{k.replace("r.1.", "r.2."): v.clone() for k, v in s.items() if "layer.1." in k}}
    ),
    "weights: other shapes": tensors(lambda s: {k: v[..., :16].contiguous() for k, v in s.items()}),
    "weights: NaN": tensors(poisoned),
    "weights: pickled code": pickled(lambda folder: Touch(folder / "canary")),
    "weights: code among them": pickled(lambda folder: {"a": torch.zeros(1), "b": Touch(folder / "canary")}),
    "weights: a pickled list": pickled(lambda folder: [1, 2]),
    "weights: a bomb": bomb,
    "weights: a bare pickle": lambda folder: (
        (folder / "model.safetensors").unlink(),
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Touch(folder / "canary"))),
    ),
    "weights: a pipe": fifo("model.safetensors"),
    "weights: a link out": linked("model.safetensors", "/dev/zero"),
    "config: a link out": linked("config.json", "/etc/hostname"),
    "config: a link to itself": linked("config.json", "config.json"),
    "config: a pipe": fifo("config.json"),
    "modules: a pipe": fifo("modules.json"),
    "index: a path out": lambda folder: (
        (folder / "model.safetensors").rename(folder.parent / "out.safetensors"),
        (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../out.safetensors"}}'),
    ),
    "index: a list": lambda folder: (
        (folder / "model.safetensors").unlink(),
        (folder / "model.safetensors.index.json").write_text("[]"),
    ),
    "index: files that are missing": lambda folder: (
        (folder / "model.safetensors").unlink(),
        (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}'),
    ),
    "tokenizer: none": without("tokenizer.json", "tokenizer_config.json"),
    "tokenizer: settings alone": without("tokenizer.json"),
    "tokenizer: broken": written("tokenizer.json", "{"),
    "tokenizer: a list": written("tokenizer.json", "[]"),
    "tokenizer: deep": written("tokenizer.json", DEEP),
    "tokenizer: of another form": written("tokenizer.json", '{"version": "1.0", "model": {"type": "Nothing"}}'),
    "tokenizer: settings are a list": written("tokenizer_config.json", "[]"),
}


@pytest.fixture
def model(tmp_path: Path, tiny: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "model"))


@pytest.mark.parametrize("case", REFUSED)
def test_a_folder_that_is_not_as_written_is_one_line(model: Path, case: str) -> None:
    REFUSED[case](model)
    with pytest.raises(UserError) as error:
        TextEncoder(str(model))
    assert "\n" not in str(error.value)
    assert model.name in str(error.value)
    assert len(str(error.value)) < 700
    assert not (model / "canary").exists()


def test_code_in_a_folder_is_not_run(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """auto_map with a kind that transformers knows: its own class is taken; with another, nothing is."""
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked whether to run code"))
    (model / "evil.py").write_text(f"open({str(model / 'canary')!r}, 'w')\n")
    code = {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Slow", "evil.Fast"]}}
    changed("tokenizer_config.json", **code)(model)
    changed("config.json", auto_map={"AutoConfig": "evil.Config", "AutoModel": "evil.Model"})(model)
    TextEncoder(str(model))
    changed("config.json", model_type="evil")(model)
    with pytest.raises(UserError, match="can be read there"):
        TextEncoder(str(model))
    assert not (model / "canary").exists()


@pytest.mark.parametrize(
    "change",
    [
        tensors(lambda s: {k: v for k, v in s.items() if not k.startswith("pooler.")}),
        tensors(lambda s: {f"bert.{k}": v for k, v in s.items()}),
        tensors(lambda s: {**s, "cls.predictions.bias": torch.zeros(3)}),
        tensors(lambda s: {**s, "embeddings.position_ids": torch.arange(64)}),
        lambda folder: pickled(lambda _: load_file(folder / "model.safetensors"))(folder),
    ],
    ids=["no pooler", "a prefix", "a head", "positions", "pickled"],
)
def test_what_makes_no_difference_is_tolerated(model: Path, tiny: Path, sentences: list[str], change: Change) -> None:
    if change.__name__ == "<lambda>":
        state = load_file(model / "model.safetensors")
        (model / "model.safetensors").unlink()
        torch.save(state, model / "pytorch_model.bin")
    else:
        change(model)
    expected = encode(TextEncoder(str(tiny)), sentences, "query").unit_ND
    torch.testing.assert_close(encode(TextEncoder(str(model)), sentences, "query").unit_ND, expected)


def test_links_within_the_hubs_cache_are_followed(tmp_path: Path, tiny: Path) -> None:
    cache = tmp_path / "models--a--b"
    blobs = shutil.copytree(tiny, cache / "blobs")
    snapshot = cache / "snapshots" / "abc"
    (snapshot / "1_Pooling").mkdir(parents=True)
    for path in blobs.rglob("*.*"):
        if path.is_file():
            (snapshot / path.relative_to(blobs)).symlink_to(path)
    assert TextEncoder(str(snapshot)).width == 32


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("owner/name@v1", ("owner/name", "v1")),
        ("owner/name", ("owner/name", None)),
        ("sentence-transformers/all-MiniLM-L6-v2@abc", ("sentence-transformers/all-MiniLM-L6-v2", "abc")),
    ],
)
def test_a_revision_is_asked_for_and_told(
    tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch, name: str, asked: tuple[str, str | None]
) -> None:
    commit = shutil.copytree(tiny, tmp_path / "0123abcd")
    found = []

    def download(repo: str, revision: str | None, allow_patterns: list[str]) -> str:
        found.append((repo, revision))
        return str(commit)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    backbone = load_backbone(name)
    assert (backbone.name, backbone.revision) == (name, "0123abcd")
    assert found == [asked]


def with_normalize(folder: Path) -> Path:
    module(idx=2, name="2", path="2_Normalize", type="sentence_transformers.models.Normalize")(folder)
    return folder


@pytest.mark.parametrize("normalize", [True, False])
def test_an_export_normalises_where_its_source_did(
    model: Path, tmp_path: Path, sentences: list[str], normalize: bool
) -> None:
    source = with_normalize(model) if normalize else model
    TextEncoder(str(source)).save(tmp_path / "export")
    expected, found = (
        SentenceTransformer(str(folder), device="cpu").encode(sentences) for folder in (source, tmp_path / "export")
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-5) == normalize
    assert TextEncoder(str(tmp_path / "export")).normalize == normalize


@pytest.mark.parametrize(
    ("name", "normalize", "told", "exported"),
    [
        ("cosine", False, 0, "cosine"),
        ("dot", True, 0, "dot"),
        ("dot", False, 1, "cosine"),
        ("euclidean", True, 1, "cosine"),
    ],
)
def test_a_similarity_that_is_not_the_cosine_is_told(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, normalize: bool, told: int, exported: str
) -> None:
    changed("config_sentence_transformers.json", similarity_fn_name=name)(with_normalize(model) if normalize else model)
    encoder = TextEncoder(str(model))
    assert caplog.text.count(f"compared by {name}; compret trains, tests and exports them by cosine") == told
    encoder.save(tmp_path / "export")
    assert SentenceTransformer(str(tmp_path / "export"), device="cpu").similarity_fn_name == exported


@pytest.mark.parametrize("activation", ["activation.Tanh", "linear.Identity", "activation.GELU"])
@pytest.mark.parametrize("outputs", [32, 12])
def test_a_dense_head_is_that_of_sentence_transformers(
    model: Path, tmp_path: Path, sentences: list[str], activation: str, outputs: int
) -> None:
    from sentence_transformers.sentence_transformer.modules import Dense

    torch.manual_seed(0)
    kind = {"Tanh": torch.nn.Tanh, "Identity": torch.nn.Identity, "GELU": torch.nn.GELU}[activation.split(".")[1]]
    (model / "2_Dense").mkdir()
    Dense(32, outputs, bias=outputs == 12, activation_function=kind()).save(str(model / "2_Dense"))
    module(idx=2, name="2", path="2_Dense", type="sentence_transformers.models.Dense")(model)
    expected = SentenceTransformer(str(model), device="cpu").encode(sentences, normalize_embeddings=True)
    encoder = TextEncoder(str(model))
    assert encoder.pooled_width == outputs
    np.testing.assert_allclose(encode(encoder, sentences, "query").unit_ND.numpy(), expected, atol=1e-6)
    encoder.save(tmp_path / "export")
    exported = SentenceTransformer(str(tmp_path / "export"), device="cpu").encode(sentences, normalize_embeddings=True)
    np.testing.assert_allclose(exported, expected, atol=1e-6)


@pytest.mark.parametrize("activation", ["os.system", "torch.load", "torch.hub.load", "x.Tanh"])
def test_a_dense_heads_activation_is_a_name_of_few(model: Path, activation: str) -> None:
    (model / "2_Dense").mkdir()
    config = {"in_features": 32, "out_features": 32, "bias": True, "activation_function": activation}
    (model / "2_Dense" / "config.json").write_text(json.dumps(config))
    module(idx=2, name="2", path="2_Dense", type="sentence_transformers.models.Dense")(model)
    with pytest.raises(UserError, match=f"activation '{activation}' is not known"):
        TextEncoder(str(model))


def test_a_pooler_is_neither_built_nor_lost(tiny: Path, tmp_path: Path) -> None:
    """No adapter may land on it, and an export has it again, so that transformers finds all that it looks for."""
    encoder = TextEncoder(str(tiny), lora=LoRA(rank=2))
    assert not [name for name, _ in encoder.named_parameters() if "pooler" in name]
    encoder.save(tmp_path / "export")
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny, tmp_path / "export"))
    assert before.keys() == after.keys()
    assert torch.equal(before["pooler.dense.weight"], after["pooler.dense.weight"])
