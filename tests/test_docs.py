"""README and docs: each command parses, each name and link leads somewhere, each page is on the site."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from compret import __version__
from compret.recipes import recipes

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
Run = Callable[..., tuple[int, str]]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def commands(program: str) -> list[tuple[str, list[str]]]:
    """Page and words of each command that a page shows, once a page."""
    found = {
        (page.name, line): shlex.split(line)
        for page in PAGES
        for block in blocks(page, "bash")
        for line in block.replace("\\\n", " ").splitlines()
        if line and not line.startswith("#")
    }
    return [(page, words) for (page, _), words in found.items() if words[0] == program]


def named(cases: list[tuple[str, list[str]]]) -> list[object]:
    return [pytest.param(words[1:], id=f"{page} {' '.join(words[1:])}"[:100]) for page, words in cases]


SMALL = {"audit", "explain"}
LIGHT = {"report", "ls", "cp", "--help", "--version"}
HEAVY = [
    (page, words) for page, words in commands("compret") if words[1] not in {*LIGHT, *SMALL, "perturb", "experiment"}
]
ONCE = {tuple(words): (page, words) for page, words in reversed(HEAVY)}
"""By their words, with the first page that shows them; test_readme.py runs those of the README."""


@pytest.mark.parametrize("arguments", named([case for case in ONCE.values() if case[0] != "README.md"]))
def test_a_command_parses(compret: Run, arguments: list[str]) -> None:
    """Every option and class that it names exists; its config is found."""
    code, said = compret(*arguments, "--print_config")
    assert code == 0, said
    assert yaml.safe_load(said)["model"]["class_path"].startswith("compret.tasks.")


PAPER = [case for case in HEAVY if case[0] == "paper.md" and case[1][1] == "fit" and "minilm_l6" in " ".join(case[1])]


@pytest.mark.parametrize("arguments", named(PAPER))
def test_the_papers_commands_are_the_papers_protocol(compret: Run, arguments: list[str]) -> None:
    """Whole ones: what the page's text says of all backbones, and of this one."""
    parsed = yaml.safe_load(compret(*arguments, "--print_config")[1])
    model, data = parsed["model"]["init_args"], parsed["data"]["init_args"]
    assert (parsed["trainer"]["max_steps"], parsed["trainer"]["precision"]) == (3375, "16-mixed")
    loss = model["loss"]["init_args"]
    assert (model["max_length"], loss["temperature"], loss["mask_duplicates"]) == (128, 0.1, False)
    assert (model["optimizer"]["lr"], model["optimizer"]["weight_decay"]) == (1e-4, 0.001)
    assert (data["batch_size"], data["allow_duplicates"], data["random_negatives"]) == (128, True, True)


@pytest.mark.parametrize("arguments", named([case for case in commands("compret") if case[1][1] == "report"]))
def test_a_report_is_printed(compret: Run, tmp_path: Path, arguments: list[str]) -> None:
    about = {"score": "cosine", "fingerprint": "0"}
    data = {"zoo": {**about, "suite": "BEIR", "ndcg_gain": "binary"}, "pairs": {**about, "fingerprint": "1"}}
    counts = {name: {"queries": 2, "dropped_queries": 0} for name in data}
    kinds = (("retrieval", "ndcg@10"), ("nearmiss", "auroc"))
    columns = [{"kind": k, "title": metric, "metric": metric, "same": [], "by_query": False} for k, metric in kinds]
    meta = {"max_length": 128, "backbone": "b", "data": data, "counts": counts, "columns": columns}
    values = {"retrieval": {"zoo": {"ndcg@10": 0.5}}, "nearmiss": {"pairs": {"auroc": 0.5}}}
    entry = {**values, "meta": meta, "timing": {name: {"encode": 1.0} for name in data}}
    of_many = "--baseline" in arguments  # the path is then a folder of runs
    pair = {"anchor": "a", "candidate": "b", "category": "c", "score": 0.5}
    for path in re.findall(r"logs/[\w/]+", " ".join(arguments)):
        for run in [tmp_path / path / name for name in (("baseline", "structneg") if of_many else ("",))]:
            for name, rows in (
                ("per_query/zoo", [{"query": "q", "ndcg@10": 0.5}] * 2),
                ("scores/pairs", [{**pair, "label": label} for label in (0, 1)]),
            ):
                (run / name).parent.mkdir(parents=True, exist_ok=True)
                (run / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
            (run / "results.json").write_text(json.dumps(entry))
    code, said = compret(*arguments)
    assert code == 0, said
    if "--out" in arguments:
        assert [*(tmp_path / arguments[arguments.index("--out") + 1]).iterdir()]
        return
    rows = [line for line in said.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + sum("logs/" in argument for argument in arguments)


@pytest.mark.parametrize("arguments", named([c for c in commands("compret") if c[1][1] in LIGHT - {"report"}]))
def test_a_light_command_runs(compret: Run, arguments: list[str]) -> None:
    code, said = compret(*arguments)
    assert code == 0
    assert said.strip()


@pytest.fixture
def calibration(tmp_path: Path) -> None:
    rows = [f"{anchor} {n},the {n},{n % 2}\n" for n in range(8) for anchor in ("a dog", "a cat")]
    (tmp_path / "calibration.csv").write_text("".join(["anchor,candidate,label\n", *rows]))


@pytest.mark.parametrize("arguments", named([c for c in commands("compret") if c[1][1] in SMALL]))
def test_an_audit_or_explanation_runs(
    compret: Run, tiny: Path, pairs: Path, calibration: None, arguments: list[str]
) -> None:
    """With a small model in place of the page's, which is given last and wins."""
    code, said = compret(*arguments, "--model", tiny)
    assert code == 0, said
    assert "pooled cosine" in said or "next: " in said


@pytest.mark.parametrize("arguments", named([c for c in commands("compret") if c[1][1] == "perturb"]))
def test_perturb_parses(compret: Run, arguments: list[str]) -> None:
    """All that is wrong is that the file is not there."""
    code, said = compret(*arguments)
    assert code == 2
    assert said.strip() == f"compret: {arguments[1]}: no such file"


@pytest.mark.parametrize("arguments", named([c for c in commands("compret") if c[1][1] == "experiment"]))
def test_a_matrix_expands(compret: Run, tmp_path: Path, arguments: list[str]) -> None:
    for name in re.findall(r"\w+\.csv", " ".join(arguments)):
        (tmp_path / name).touch()
    code, said = compret(*arguments, "--dry-run")
    assert code == 0, said
    assert re.search(r"^\d+ missing$", said, re.MULTILINE)


def test_the_pages_matrix_expands(compret: Run, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(blocks(ROOT / "docs" / "experiment.md", "yaml")[0])
    (tmp_path / "mine.jsonl").touch()
    (tmp_path / "structneg.csv").touch()
    code, said = compret("experiment", "m.yaml", "--dry-run")
    assert code == 0, said
    assert "structneg-44   fit  missing" in said


@pytest.mark.parametrize("arguments", named([*commands("sbatch"), *commands("torchrun")]))
def test_a_launcher_starts_a_fit_that_parses(compret: Run, arguments: list[str]) -> None:
    if "-m" in arguments:
        fit = arguments[arguments.index("-m") + 3 :]
    else:
        assert f"cluster/{arguments[0]}" in recipes()
        fit = ["--config", arguments[1], "--config", "cluster/slurm.yaml", *arguments[2:]]
    code, said = compret("fit", *fit, "--print_config")
    assert code == 0, said


@pytest.mark.parametrize("arguments", named([*commands("pip"), *commands(".venv/bin/pip")]))
def test_pip_is_asked_for_extras_that_there_are(arguments: list[str]) -> None:
    extras = {extra for word in arguments for extra in re.findall(r"\[([\w,]+)\]", word)}
    assert extras <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("arguments", named(commands("make")))
def test_make_has_the_target(arguments: list[str]) -> None:
    subprocess.run(["make", "-n", *arguments], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_but_known_programs_is_asked_of_the_user(page: Path) -> None:
    lines = [line for block in blocks(page, "bash") for line in block.replace("\\\n", " ").splitlines()]
    programs = {line.split()[0] for line in lines if line and not line.startswith("#")}
    venv = {".venv/bin/pip", ".venv/bin/pre-commit"} if page.name == "CONTRIBUTING.md" else set()
    cluster = {"sbatch", "torchrun", "python"} if page.name == "clusters.md" else set()
    assert programs <= {"make", "compret", "pip", "git", "cd"} | venv | cluster


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_configs_options_and_commands_in_the_text_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`((?:[\w]+/)?[a-z][\w]+\.(?:yaml|sbatch))`", text):
        assert {name, f"cluster/{name}"} & {*recipes(), "config.yaml"}, name
    for target in re.findall(r"`make (\w+)`", text):
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)
    for extra in re.findall(r"pip install '\.\[(\w+)\]'", text):
        assert extra in PROJECT["optional-dependencies"]


@pytest.fixture
def export(compret: Run, tiny: Path, triplets: Path, pairs: Path, calibration: None, embedded: Path) -> None:
    """What the pages' Python reads: the export of a fit by the config that they name."""
    small = f"""--model.backbone {tiny} --model.max_length 32 --data.files [{triplets}] --data.weights null
        --data.batch_size 4 --data.workers 0 --data.validation.init_args.files [{pairs}] --trainer.max_steps 1
        --trainer.val_check_interval 1 --trainer.accelerator cpu --trainer.enable_progress_bar false"""
    code, said = compret("fit", "--config", "verifier_transformer_e2e.yaml", *small.split())
    assert code == 0, said


@pytest.mark.parametrize("page", [page for page in PAGES[1:] if blocks(page, "python")], ids=lambda page: page.name)
def test_python_runs(export: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), {})


def anchors(page: Path) -> set[str]:
    """What a link's part behind # may be: the headings as GitHub and the site spell them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


def test_the_site_has_every_page() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))

    def pages(entry: object) -> set[str]:
        parts = entry.values() if isinstance(entry, dict) else entry if isinstance(entry, list) else ()
        return {entry} if isinstance(entry, str) else set().union(*map(pages, parts))

    assert pages(site["nav"]) == {page.name for page in (ROOT / "docs").glob("*.md")}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 180


def test_version_and_tools_are_the_same_everywhere() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert re.findall(r"^## \[([\d.]+)\]", changes, re.MULTILINE)[0] == __version__ == cited["version"]
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    ruff = next(hook["rev"] for hook in hooks if "ruff" in hook["repo"])
    assert f"ruff=={ruff.removeprefix('v')}\n" in (ROOT / "constraints.txt").read_text(encoding="utf-8")


def steps() -> list[str]:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    return [
        line for job in workflow["jobs"].values() for step in job["steps"] for line in step.get("run", "").split("\n")
    ]


@pytest.mark.parametrize("arguments", named([("ci.yml", w) for w in map(shlex.split, steps()) if w[:1] == ["compret"]]))
def test_what_ci_runs_parses(compret: Run, arguments: list[str]) -> None:
    code, said = compret(*arguments, *(["--print_config"] if arguments[0] not in LIGHT else []))
    assert code == 0, said
