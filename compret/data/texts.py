"""A text file to embed, one text a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from compret.files import local_path
from compret.types import Kind, TextFile, UserError, Whole


class Texts(LightningDataModule):
    """A text file to embed, one text a line.

    Args:
        file: the texts.
        output: where the vectors go: .npy (float32 matrix) or .parquet (columns text, embedding).
        kind: which prompt the texts get.
    """

    def __init__(self, file: str, output: str = "embeddings.npy", kind: Kind = "document") -> None:
        super().__init__()
        self.file, self.output, self.kind = file, output, kind

    def predict_dataloader(self) -> Any:
        return DataLoader([Whole(load_texts(self.file, self.output, self.kind))], batch_size=None)  # type: ignore[arg-type]


def load_texts(file: str, output: str, kind: Kind) -> TextFile:
    """Read the lines of a text file, empty ones included, so that row i of the output is line i + 1.

    A line ends with a line feed, with or without a carriage return before it, and with nothing else.

    Raises:
        UserError: no such file, an empty one, bytes that are not UTF-8, or an output that is neither .npy nor .parquet.
    """
    path = local_path(file)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if Path(output).suffix not in (".npy", ".parquet"):
        raise UserError(f"data.output {output}: must end in .npy or .parquet")
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if not content:
        raise UserError(f"{path}: the file is empty")
    lines = content.removesuffix("\n").split("\n")
    return TextFile(str(path), [line.removesuffix("\r") for line in lines], kind, output)
