"""Parts as jobs of SLURM, through submitit (an extra); they live on when this process ends, and are found again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compret.experiment.records import is_locked
from compret.experiment.work import Job, work
from compret.types import UserError

_MANY = 10**6


class Slurm:
    """Jobs of SLURM; all that can run is queued at once.

    Args:
        folder: where submitit keeps what it writes; on a disk that all nodes see, as all folders of the runs.
        parameters: of each job, as submitit has them: `slurm_partition`, `timeout_min`, `gpus_per_node`, ...

    Raises:
        UserError: submitit is not installed, there is no SLURM here, or it does not know a parameter.
    """

    at_once = _MANY

    def __init__(self, folder: Path, parameters: Mapping[str, Any]) -> None:
        try:
            import submitit
        except ModuleNotFoundError as error:
            raise UserError("--executor slurm: needs a package that is not installed: pip install submitit") from error
        try:
            self.executor = submitit.AutoExecutor(folder, cluster="slurm")
            self.executor.update_parameters(**parameters)
        except (RuntimeError, NameError, TypeError, ValueError, AssertionError) as error:
            raise UserError(f"--executor slurm: {' '.join(str(error).split())[:300]}") from error
        self.folder, self.job_class = folder, self.executor._executor.job_class

    def start(self, job: Job) -> Submitted:
        submitted = self.executor.submit(work, job)
        path = _noted(Path(job.folder))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(submitted.job_id), encoding="utf-8")
        return Submitted(submitted, path.parent)

    def left_running(self, folder: Path) -> Submitted | None:
        path = _noted(folder)
        if not path.exists():
            return None
        job = self.job_class(folder=self.folder, job_id=path.read_text(encoding="utf-8"))
        left = Submitted(job, path.parent)
        return None if left.is_over() else left


class Submitted:
    """A job in SLURM's queue or at work."""

    lives_on = True

    def __init__(self, job: Any, folder: Path) -> None:
        self.job, self.folder = job, folder

    def is_over(self) -> bool:
        """SLURM says so, and it holds its folder no more, which not all disks tell from node to node."""
        return bool(self.job.done()) and not is_locked(self.folder)

    def end(self) -> None:
        """Nothing: the next `compret experiment` finds it."""

    kill = end


def _noted(folder: Path) -> Path:
    """Where the id of a part's newest job stands."""
    return folder.parent / f".job-{folder.name}"
