"""A text file to embed, one text a line."""

from __future__ import annotations

from pathlib import Path

from compret.data.records import local_path
from compret.types import Kind, TextFile, UserError


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
