"""The mistake of the user's behind an exception, and that of several ranks one tells it."""

from __future__ import annotations

import errno
import time

from lightning.pytorch.utilities.exceptions import MisconfigurationException

from compret.distributed import launch
from compret.types import UserError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_PATIENCE = 3.0
"""Seconds in which a launcher ends all ranks when the first one has failed."""


def told_once(mistake: UserError) -> UserError:
    """Ranks make the same mistakes: what rank 0 has told, its launcher spares the others, which wait for that."""
    rank = launch().rank
    if rank == 0:
        return mistake
    time.sleep(_PATIENCE)
    return UserError(f"rank {rank}: {mistake}")


def users_mistake(error: BaseException | None) -> UserError | None:
    """The mistake behind an error, if there is one: jsonargparse wraps what a class raises when it is built."""
    while error is not None and not (isinstance(error, UserError | MisconfigurationException) or _is_refused(error)):
        error = error.__cause__
    if isinstance(error, MisconfigurationException):
        return UserError(" ".join(str(error).split()))
    if isinstance(error, OSError):
        name, is_full = str(error.filename or "a file")[:300], error.errno in _FULL
        told = f"cannot be written ({error.strerror}); make space" if is_full else f"refused ({error.strerror})"
        return UserError(f"{name}: {told}")
    return error if isinstance(error, UserError) else None


def _is_refused(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (*_FULL, errno.ENAMETOOLONG, errno.EACCES, errno.EROFS)
