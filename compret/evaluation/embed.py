"""Vectors of a text file, written as .npy or Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compret.atomic import atomic_path
from compret.distributed import rank
from compret.evaluation.encode import encode
from compret.nn.encoder import TextEncoder
from compret.types import TextFile


def write_embeddings(encoder: TextEncoder, data: TextFile) -> Path:
    """Write unit vectors, float32, one row a line of the file: a matrix (.npy), or columns text, embedding (.parquet).

    Raises:
        UserError: the output cannot be written.
    """
    vectors = encode(encoder, data.texts, data.kind, Path(data.path).name).unit_ND.cpu().numpy()
    output = Path(data.output)
    if rank() == 0:
        with atomic_path(output) as unfinished:
            _write(unfinished, output.suffix, data, vectors)
    return output


def _write(path: Path, suffix: str, data: TextFile, vectors_ND: NDArray[np.float32]) -> None:
    if suffix == ".npy":
        with path.open("wb") as file:
            np.save(file, vectors_ND)
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors_ND.ravel()), vectors_ND.shape[1])
    pq.write_table(pa.table({"text": list(data.texts), "embedding": values}), path)
