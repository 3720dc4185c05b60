"""TextEncoder: the same vectors as sentence-transformers, whatever the padding, and a folder that it loads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import AutoTokenizer

from compret.evaluation.encode import encode
from compret.nn.encoder import LoRA, TextEncoder
from compret.nn.pooling import pool
from compret.types import TokenBatch, UserError


def peer(folder: Path, texts: list[str], **options: Any) -> NDArray[np.float32]:
    model = SentenceTransformer(str(folder), device="cpu")
    return model.encode(texts, normalize_embeddings=True, show_progress_bar=False, **options)


def ours(folder: Path, texts: list[str], kind: Any = "query", **options: Any) -> NDArray[np.float32]:
    return encode(TextEncoder(str(folder), **options), texts, kind).unit_ND.numpy()


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
@pytest.mark.parametrize("schema", ["old", "new"])
def test_vectors_are_those_of_sentence_transformers(
    tmp_path: Path, sentences: list[str], new_backbone: Callable[..., Path], pooling: str, schema: str
) -> None:
    folder = new_backbone(tmp_path / "model", pooling=pooling)
    if schema == "new":
        (folder / "1_Pooling" / "config.json").write_text(
            json.dumps({"embedding_dimension": 32, "pooling_mode": pooling})
        )
    np.testing.assert_allclose(ours(folder, sentences), peer(folder, sentences), atol=1e-6)


def test_prompts_of_the_folder_are_put_before_the_texts(
    tmp_path: Path, sentences: list[str], new_backbone: Callable[..., Path]
) -> None:
    folder = new_backbone(tmp_path / "model", prompts={"query": "the dog ", "document": "the cat "})
    for kind in ("query", "document"):
        np.testing.assert_allclose(ours(folder, sentences, kind), peer(folder, sentences, prompt_name=kind), atol=1e-6)
    given = ours(folder, sentences, "query", query_prompt="very ")
    np.testing.assert_allclose(given, peer(folder, sentences, prompt="very "), atol=1e-6)
    np.testing.assert_allclose(
        ours(folder, sentences, "document", document_prompt=""), peer(folder, sentences, prompt=""), atol=1e-6
    )


def test_a_length_that_is_set_cuts_as_sentence_transformers_does(tiny: Path, sentences: list[str]) -> None:
    model = SentenceTransformer(str(tiny), device="cpu")
    model.max_seq_length = 6
    expected = model.encode(sentences, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(ours(tiny, sentences, max_length=6), expected, atol=1e-6)


def test_a_length_that_is_set_still_cuts_when_the_special_tokens_are_known(tiny: Path, sentences: list[str]) -> None:
    tokenizer = TextEncoder(str(tiny), max_length=8).tokenizer
    assert tokenizer.inner(8) == (1, 7)
    cut = tokenizer([" ".join(sentences), "a dog"], "query")
    assert ([len(ids) for ids in cut.ids], cut.truncated) == ([8, 4], 1)


def test_texts_are_cut_and_counted_in_blocks_of_any_size(
    tiny: Path, sentences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = TextEncoder(str(tiny), max_length=12).tokenizer
    whole = tokenizer(sentences, "query")
    assert 0 < whole.truncated < len(sentences)
    monkeypatch.setattr("compret.nn.tokenizer._BLOCK", 7)
    blocks = tokenizer(sentences, "query")
    assert [ids.tolist() for ids in blocks.ids] == [ids.tolist() for ids in whole.ids]
    assert blocks.truncated == whole.truncated


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(padding=st.integers(0, 20), others=st.lists(st.integers(0, 59), max_size=5))
def test_neither_padding_nor_neighbours_change_a_vector(
    tiny_encoder: TextEncoder, sentences: list[str], padding: int, others: list[int]
) -> None:
    ids = tiny_encoder.tokenizer([sentences[7], *(sentences[i] for i in others)], "query").ids
    alone, batch = tiny_encoder.tokenizer.pad(ids[:1]), tiny_encoder.tokenizer.pad(ids)
    padded = (torch.nn.functional.pad(x, (0, padding)) for x in (batch.ids_BM, batch.mask_BM))
    wide = TokenBatch(*padded, batch.lengths)
    with torch.no_grad():
        expected, got = tiny_encoder(alone), tiny_encoder(wide)
    torch.testing.assert_close(got.pooled_BD[:1], expected.pooled_BD, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(got.tokens_BMD[:1, : len(ids[0])], expected.tokens_BMD, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "lasttoken"])
def test_a_saved_encoder_is_loaded_by_sentence_transformers(
    tmp_path: Path, tiny: Path, sentences: list[str], pooling: Any
) -> None:
    encoder = TextEncoder(str(tiny), pooling=pooling, max_length=9, query_prompt="the dog ").eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.01)
    encoder.save(tmp_path / "export")
    assert AutoTokenizer.from_pretrained(str(tmp_path / "export")).model_max_length == 9
    expected = encode(encoder, sentences, "query").unit_ND.numpy()
    np.testing.assert_allclose(peer(tmp_path / "export", sentences, prompt_name="query"), expected, atol=1e-5)
    np.testing.assert_allclose(ours(tmp_path / "export", sentences), expected, atol=1e-6)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("pooling", ["mean", "lasttoken"])
def test_pooling_is_that_of_sentence_transformers_on_both_sides(pooling: Any, side: str) -> None:
    generator = torch.Generator().manual_seed(0)
    tokens_BMD = torch.randn(6, 7, 5, generator=generator)
    mask_BM = (torch.arange(7) < torch.tensor([7, 6, 5, 3, 2, 1]).unsqueeze(1)).long()
    mask_BM = mask_BM.flip(1) if side == "left" else mask_BM
    theirs = Pooling(5, pooling_mode=pooling)({"token_embeddings": tokens_BMD, "attention_mask": mask_BM})
    torch.testing.assert_close(pool(pooling, tokens_BMD, mask_BM), theirs["sentence_embedding"])


@pytest.fixture
def decoder(tmp_path: Path, tiny: Path) -> Path:
    """A Llama of width 32 that pools the last token, as 7B embedders do; its tokenizer pads on the left."""
    from transformers import LlamaConfig, LlamaModel

    folder = tmp_path / "decoder"
    tokenizer = AutoTokenizer.from_pretrained(str(tiny), padding_side="left")
    tokenizer.save_pretrained(str(folder))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
        LlamaModel(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=4096, **sizes)).save_pretrained(
            folder
        )
    for name in ("modules.json", "sentence_bert_config.json"):
        shutil.copy(tiny / name, folder / name)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"embedding_dimension": 32, "pooling_mode": "lasttoken"}')
    return folder


def test_a_decoder_gives_the_vectors_of_sentence_transformers(
    decoder: Path, tmp_path: Path, sentences: list[str]
) -> None:
    """Which pads on the left here, and compret on the right."""
    encoder = TextEncoder(str(decoder))
    np.testing.assert_allclose(ours(decoder, sentences), peer(decoder, sentences), atol=2e-6)
    encoder.save(tmp_path / "export")
    np.testing.assert_allclose(peer(tmp_path / "export", sentences), peer(decoder, sentences), atol=2e-6)


def test_adapters_train_alone_and_are_merged_when_saved(tmp_path: Path, tiny: Path, sentences: list[str]) -> None:
    encoder = TextEncoder(str(tiny), lora=LoRA(rank=4))
    trained = [name for name, p in encoder.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora_" in name for name in trained)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if "lora_" in name:
                parameter.normal_(0, 0.1, generator=torch.Generator().manual_seed(len(name)))
    expected = encode(encoder, sentences, "query").unit_ND.numpy()
    assert np.abs(expected - ours(tiny, sentences)).max() > 1e-2
    encoder.save(tmp_path / "export")
    np.testing.assert_allclose(peer(tmp_path / "export", sentences), expected, atol=1e-5)


def test_adapters_have_the_scale_and_the_dropout_that_are_asked_for(tiny: Path) -> None:
    def moved(lora: LoRA, training: bool = False) -> torch.Tensor:
        """What adapters that are all the same add to a layer's output."""
        encoder = TextEncoder(str(tiny), dropout=0.0, lora=lora).train(training)
        layer = next(part for name, part in encoder.named_modules() if name.endswith("attention.self.query"))
        x_BD = torch.linspace(-1, 1, 64).view(2, 32)
        with torch.no_grad():
            for name, parameter in layer.named_parameters():
                if "lora_" in name:
                    parameter.fill_(0.1)
            return layer(x_BD) - layer.base_layer(x_BD)

    once = moved(LoRA(rank=4, alpha=4))
    torch.testing.assert_close(moved(LoRA(rank=4, alpha=12)), 3 * once)
    torch.testing.assert_close(moved(LoRA(rank=4, alpha=4), training=True), once)
    assert not torch.allclose(moved(LoRA(rank=4, alpha=4, dropout=0.5), training=True), once)


def test_frozen_parameters_are_named_by_their_beginning(tiny: Path) -> None:
    encoder = TextEncoder(str(tiny), freeze=["embeddings", "encoder.layer.0"])
    names = [name.removeprefix("backbone.") for name, p in encoder.named_parameters() if p.requires_grad]
    assert names
    assert all(name.startswith("encoder.layer.1") for name in names)
    with pytest.raises(UserError, match="no parameter of .* starts with 'encoder.lay'"):
        TextEncoder(str(tiny), freeze=["encoder.lay"])


def test_checkpointing_changes_no_gradient(tiny: Path, sentences: list[str]) -> None:
    gradients = []
    for checkpointing in (False, True):
        encoder = TextEncoder(str(tiny), dropout=0.0, gradient_checkpointing=checkpointing)
        encoder(
            encoder.tokenizer.pad(encoder.tokenizer(sentences[:5], "query").ids)
        ).pooled_BD.square().sum().backward()
        gradients.append([p.grad for p in encoder.parameters() if p.requires_grad])
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("broken", ["no folder", "no home", "no model", "module", "length", "freeze", "hub"])
def test_what_cannot_be_read_is_one_line(
    tmp_path: Path, tiny: Path, new_backbone: Callable[..., Path], broken: str
) -> None:
    (tmp_path / "empty").mkdir()
    odd = new_backbone(tmp_path / "odd")
    modules = json.loads((odd / "modules.json").read_text())
    modules.append({"idx": 2, "name": "2", "path": "2_Odd", "type": "x.WeightedLayerPooling"})
    (odd / "modules.json").write_text(json.dumps(modules))
    arguments: dict[str, tuple[Any, str]] = {
        "no folder": ({"backbone": str(tmp_path / "none")}, "no such folder"),
        "no home": ({"backbone": "~nobody_of_that_name/model"}, "~nobody_of_that_name/model: cannot be opened"),
        "no model": ({"backbone": str(tmp_path / "empty")}, "no model there"),
        "module": ({"backbone": str(odd)}, "does not know the module WeightedLayerPooling"),
        "length": ({"backbone": str(tiny), "max_length": 65}, "takes 2 to 64 tokens"),
        "freeze": ({"backbone": str(tiny), "freeze": ["layer"]}, "no parameter of .* starts with 'layer'"),
        "hub": ({"backbone": "nobody/no-model"}, "hub"),
    }
    options, message = arguments[broken]
    with pytest.raises(UserError, match=message) as error:
        TextEncoder(**options)
    assert "\n" not in str(error.value)


@pytest.mark.full
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_a_compiled_backbone_gives_the_same_vectors_under_the_same_names(tiny: Path) -> None:
    plain, compiled = (TextEncoder(str(tiny), dropout=0, compile=compile) for compile in (False, True))
    assert list(plain.state_dict()) == list(compiled.state_dict())
    for texts in (["the dog", "the cat bit the dog"], ["a"] * 3, ["the dog bit the man in the house"] * 5):
        batch = plain.tokenizer.pad(plain.tokenizer(texts, "query").ids)
        torch.testing.assert_close(compiled(batch).pooled_BD, plain(batch).pooled_BD, rtol=0, atol=1e-5)
    compiled(batch).pooled_BD.sum().backward()
    plain(batch).pooled_BD.sum().backward()
    for one, other in zip(plain.parameters(), compiled.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None)
