"""Parts as jobs of a made-up SLURM, whose commands start processes here: they outlive what queued them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from compret.experiment.matrix import expand
from compret.experiment.parts import parts_of
from compret.experiment.runner import Row, Runner
from compret.experiment.show import Lines
from compret.experiment.slurm import Slurm
from compret.types import UserError

FAKE = (sys.executable, "-S", str(Path(__file__).with_name("fake.py")))
MATRIX = {"name": "mine", "matrix": {"axes": {"system": ["a", "b"]}, "fit": {}, "test": {}}}
COMMANDS = {
    "sbatch": """
id=$(($(ls "$QUEUE" | wc -l) + 1)); echo PENDING > "$QUEUE/$id"
SLURM_JOB_ID=$id SLURM_NTASKS=1 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0 SLURM_JOB_NUM_NODES=1 \\
setsid sh -c "sleep 1; echo RUNNING > $QUEUE/$id; sh $1; echo COMPLETED > $QUEUE/$id" > "$QUEUE.said" 2>&1 &
echo "Submitted batch job $id"
""",
    "srun": """
while true; do case $1 in --unbuffered) shift;; --output|--error) shift 2;; *) break;; esac; done
exec "$@"
""",
    "sacct": """
echo "JobID|State|NodeList"; for job in "$QUEUE"/*; do echo "$(basename $job)|$(cat $job)|here"; done
""",
}


class GoneError(Exception):
    """The experiment's process is."""


class Leaves(Lines):
    """A board that ends the experiment when all that can run is queued."""

    def draw(self, rows: Sequence[Row]) -> None:
        raise GoneError


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    for folder in ("bin", "queue"):
        (tmp_path / folder).mkdir()
    for name, text in COMMANDS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh{text}")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("QUEUE", str(tmp_path / "queue"))


def runner(root: Path, board: Lines) -> Runner:
    executor = Slurm(root / "logs/mine/.jobs", {"timeout_min": 5})
    return Runner(parts_of(expand(MATRIX, "m"), root), executor, FAKE, board)


def test_jobs_outlive_the_experiment_and_are_found_again(
    slurm: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first two are still queued when it is gone."""
    with pytest.raises(GoneError):
        runner(tmp_path, Leaves()).run()
    assert not (tmp_path / "calls").exists()
    again = runner(tmp_path, Lines())
    again.run()
    assert not again.failed
    assert [row.state for row in again.rows] == ["done"] * 4
    begun = sorted(line for line in (tmp_path / "calls").read_text().splitlines() if "begins" in line)
    assert begun == [f"{command} {run} begins at {at}" for command, at in (("fit", 0), ("test", 10)) for run in "ab"]
    assert capsys.readouterr().out.count("still at work since an earlier start") == 2


def test_a_failed_job_is_told(slurm: None, tmp_path: Path) -> None:
    (tmp_path / "fail-a-fit").touch()
    run = runner(tmp_path, Lines())
    run.run()
    assert [row.part.name for row in run.failed] == ["a fit"]
    assert [row.state for row in run.rows] == ["failed", "missing", "done", "done"]


def test_a_wrong_parameter_is_one_line(slurm: None, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--executor slurm: .*tiemout"):
        Slurm(tmp_path, {"tiemout_min": 5})


def test_no_slurm_here_is_one_line(tmp_path: Path) -> None:
    """Nor submitit, where that is not installed."""
    with pytest.raises(UserError, match="--executor slurm: "):
        Slurm(tmp_path, {})
