"""Where rows come from: hub ids with a pinned revision, folders, and that no data set runs code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compret.data import NanoBEIR
from compret.data.sources import open_rows
from compret.data.triplet_tables import load_triplets
from compret.types import UserError

pytestmark = pytest.mark.usefixtures("fresh_cache")

Call = tuple[tuple[Any, ...], dict[str, Any]]
PARTS: dict[str | None, list[dict[str, str]]] = {
    "corpus": [{"_id": "d", "text": "a document"}],
    "queries": [{"_id": "q", "text": "a query"}],
    "qrels": [{"query-id": "q", "corpus-id": "d"}],
    None: [{"anchor": "a", "positive": "b", "id": "7"}],
}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """What the hub is asked for; it answers with a row of each kind."""
    from datasets import Dataset

    asked: list[Call] = []

    def load_dataset(*arguments: Any, **options: Any) -> Dataset:
        asked.append((arguments, options))
        return Dataset.from_list(PARTS[arguments[1]])

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    return asked


@pytest.mark.parametrize(
    ("source", "split", "revision"),
    [
        ("owner/name", "train", None),
        ("owner/name:dev", "dev", None),
        ("owner/name@v1.0", "train", "v1.0"),
        ("owner/name@refs/pr/3:dev[:10%]", "dev[:10%]", "refs/pr/3"),
    ],
)
def test_triplets_may_pin_a_revision(calls: list[Call], source: str, split: str, revision: str | None) -> None:
    assert list(load_triplets(source)) == [{"anchor": "a", "positive": "b"}]
    assert calls == [(("owner/name", None), {"split": split, "revision": revision})]
    assert open_rows(source).origin == {"owner/name": {"revision": revision}}


def test_retrieval_sets_may_pin_a_revision_and_say_so(calls: list[Call]) -> None:
    (found,) = (NanoBEIR("owner/NanoBEIR@abc123", ["nq"]).load(0),)
    assert [call[0] for call in calls] == [("owner/NanoBEIR", part) for part in ("corpus", "queries", "qrels")]
    assert {call[1]["revision"] for call in calls} == {"abc123"}
    assert found.origin == {"owner/NanoBEIR": {"revision": "abc123"}}
    assert NanoBEIR("owner/NanoBEIR", ["nq"]).load(0).origin == {}


@pytest.mark.parametrize(
    "source", ["://", ":", "@", "csv", "json:train", "owner/name@", "a b/c", "owner/name/more", "-/x"]
)
def test_what_is_no_hub_id_asks_nobody(calls: list[Call], source: str) -> None:
    with pytest.raises(UserError, match="no such file or folder"):
        load_triplets(source)
    with pytest.raises(UserError, match="no such file or folder"):
        NanoBEIR("owner/name/more", ["nq"]).load(0)
    with pytest.raises(UserError, match="a revision is that of one repository"):
        NanoBEIR("zeta-alpha-ai@v1", ["nq"]).names()
    assert calls == []


@pytest.mark.parametrize("read", [load_triplets, lambda folder: NanoBEIR(folder, ["nq"]).load(0)])
def test_a_dataset_script_is_refused_and_not_run(tmp_path: Path, read: Callable[[str], Any]) -> None:
    folder = tmp_path / "NanoNQ"
    folder.mkdir()
    (folder / "NanoNQ.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\n")
    (folder / "train.csv").write_text("anchor,positive\na,b\n")
    with pytest.raises(UserError, match="NanoNQ: holds a dataset script"):
        read(str(folder))
    assert not (tmp_path / "canary").exists()


def test_a_folder_of_files_keeps_every_cell(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "train.csv").write_text("anchor,positive\n007,True\n")
    assert list(load_triplets(str(tmp_path / "folder"))) == [{"anchor": "007", "positive": "True"}]


@pytest.mark.parametrize("file", ["../secret.csv", "https://example.invalid/a.csv"])
def test_a_folder_names_no_file_outside_of_it(tmp_path: Path, file: str) -> None:
    (tmp_path / "secret.csv").write_text("anchor,positive\na,b\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "README.md").write_text(
        f"---\nconfigs:\n- config_name: default\n  data_files: {file}\n---\n"
    )
    with pytest.raises(UserError, match="folder: "):
        load_triplets(str(tmp_path / "folder"))


@pytest.mark.parametrize("name", ["dataset_info.json", "state.json", "data-00000-of-00001.arrow"])
@pytest.mark.parametrize("content", [b"", b"null", b"[]", b'{"splits": 3}', b"{" * 100_000, b"\xff\xfe", None])
def test_a_saved_folder_that_is_not_as_written_is_told(tmp_path: Path, name: str, content: bytes | None) -> None:
    from datasets import Dataset

    Dataset.from_list([{"anchor": "a", "positive": "b"}]).save_to_disk(str(tmp_path / "folder"))
    file = tmp_path / "folder" / name
    file.write_bytes(file.read_bytes()[:100] if content is None else content)
    with pytest.raises(UserError, match="folder: "):
        load_triplets(str(tmp_path / "folder"))


def test_a_saved_folder_whose_strings_are_not_utf8_is_told(tmp_path: Path) -> None:
    import pyarrow as pa
    from datasets import Dataset

    bad = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff\xfe"]).buffers())
    Dataset(pa.table({"anchor": bad, "positive": bad})).save_to_disk(str(tmp_path / "folder"))
    with pytest.raises(UserError, match="folder: no dataset can be read"):
        load_triplets(str(tmp_path / "folder"))


def test_a_dataset_named_outside_of_its_source_is_refused(beir: Path) -> None:
    for name in ("../zoo", "park/../../beir/zoo", str(beir / "zoo")):
        with pytest.raises(UserError, match="leads to a folder within the source"):
            NanoBEIR(str(beir / "park"), [name]).names()


def test_a_table_is_made_once_and_again_when_a_file_changes(tmp_path: Path, fresh_cache: Path) -> None:
    file = tmp_path / "a.jsonl"
    for text in ("a", "b", "a"):
        file.write_text(json.dumps({"anchor": text, "positive": "p"}))
        assert load_triplets(str(file))["anchor"][0] == text
    assert len(list(fresh_cache.rglob("*.arrow"))) == 2
    assert not list(fresh_cache.rglob("*.tmp"))


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "taken").touch()
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "taken")
    (tmp_path / "a.csv").write_text("anchor,positive\na,b\n")
    with pytest.raises(UserError, match="cannot be written .*; set HF_DATASETS_CACHE"):
        load_triplets(str(tmp_path / "a.csv"))
