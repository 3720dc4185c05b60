"""Text files to embed, and the files that their vectors go to."""

from __future__ import annotations

from pathlib import Path

from compret.types import Kind, TextFile, UserError


def load_texts(file: str, output: str, kind: Kind) -> TextFile:
    """Read the lines of a text file, empty ones included, so that row i of the output is line i + 1.

    Raises:
        UserError: no such file, an empty one, bytes that are not UTF-8, or an output that is neither .npy nor .parquet.
    """
    path = Path(file).expanduser()
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if Path(output).suffix not in (".npy", ".parquet"):
        raise UserError(f"data.output {output}: must end in .npy or .parquet")
    try:
        texts = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    if not texts:
        raise UserError(f"{path}: the file is empty")
    return TextFile(str(path), texts, kind, output)
