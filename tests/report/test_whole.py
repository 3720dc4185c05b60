"""Tables of an experiment: means, deviations and differences by plain loops, bold by the test, in every format."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Callable
from pathlib import Path

import pytest

from compret.report.cells import Cell, Table
from compret.report.render import comma_separated, html, markdown, tex
from compret.report.whole import Whole, whole
from compret.types import UserError

Made = Callable[..., Path]
QUALITIES = {"untouched": 0.6, "baseline": 0.55, "structneg": 0.4}


@pytest.fixture
def logs(made: Made) -> Path:
    """Three systems of one backbone, two of them with three seeds, and a verifier frozen and end to end."""
    for name, quality in QUALITIES.items():
        for seed in (42,) if name == "untouched" else (42, 43, 44):
            made(f"{name}-l6-{seed}", quality=quality + (seed - 43) * 0.01, seed=seed)
    for mode in ("frozen", "e2e"):
        verifier = {"class_path": "compret.nn.verifiers.cnn.MapCNN", "init_args": {}}
        changes = {"verifier": verifier, "verifier_parameters": 332545}
        path = made(f"cnn-{mode}-42", quality=0.7, recall=0.5, changes=changes)
    return path.parent


def stored(logs: Path, name: str, *keys: str) -> float:
    found = json.loads((logs / name / "version_0" / "results.json").read_text())
    for key in keys:
        found = found[key]
    return float(found)


def table(report: Whole, name: str) -> Table:
    return next(table for table in report.tables if table.name == name)


def row(found: Table, *texts: str) -> tuple[Cell, ...]:
    return next(row[found.texts :] for row in found.rows if tuple(cell.text for cell in row[: found.texts]) == texts)


def test_values_are_means_over_seeds_with_the_deviation_of_a_sample(logs: Path) -> None:
    found = row(table(whole([str(logs)]), "encoder_NanoBEIR_ndcg@10"), "l6", "baseline")
    one = [stored(logs, f"baseline-l6-{s}", "retrieval", "NanoNQ", "ndcg@10") for s in (42, 43, 44)]
    two = [stored(logs, f"baseline-l6-{s}", "retrieval", "NanoMSMARCO", "ndcg@10") for s in (42, 43, 44)]
    both = [(a + b) / 2 for a, b in zip(one, two, strict=True)]
    for cell, values in zip(found, (one, two, both), strict=True):
        assert cell.value == pytest.approx(statistics.mean(values))
        assert cell.std == pytest.approx(statistics.stdev(values))


def test_the_papers_deviation_is_that_of_a_population_and_is_marked(logs: Path) -> None:
    found = table(whole([str(logs)], paper=True), "encoder_NanoBEIR_ndcg@10")
    a, b = (
        [stored(logs, f"{n}-l6-{s}", "retrieval", "NanoNQ", "ndcg@10") for s in (42, 43, 44)]
        for n in ("baseline", "structneg")
    )
    assert row(found, "l6", "baseline")[0].std == pytest.approx(statistics.pstdev(a))
    spread = (statistics.pvariance(a) + statistics.pvariance(b)) ** 0.5
    assert row(found, "l6", "structneg − baseline")[0].std == pytest.approx(spread)
    assert "as in the paper" in found.caption


def test_a_difference_over_the_same_seeds_is_paired(logs: Path) -> None:
    found = row(table(whole([str(logs)]), "encoder_NanoBEIR_ndcg@10"), "l6", "structneg − baseline")[0]
    differences = [
        stored(logs, f"structneg-l6-{s}", "retrieval", "NanoNQ", "ndcg@10")
        - stored(logs, f"baseline-l6-{s}", "retrieval", "NanoNQ", "ndcg@10")
        for s in (42, 43, 44)
    ]
    assert (found.value, found.std) == pytest.approx((statistics.mean(differences), statistics.stdev(differences)))


def test_bold_is_what_the_test_says_and_not_what_is_highest(made: Made) -> None:
    made("baseline", quality=0.5, queries=8)
    made("better", quality=0.505, queries=8)
    made("other", quality=0.8, queries=8)
    found = table(whole([str(made("baseline", quality=0.5, queries=8).parent)]), "encoder_NanoBEIR_ndcg@10")
    family = "tiny"
    assert not any(cell.bold for cell in row(found, family, "baseline"))
    assert all(cell.bold for cell in row(found, family, "other − baseline"))
    assert not any(cell.bold for cell in row(found, family, "better − baseline")[:2])


def test_p_values_of_the_tests_are_corrected_within_a_table(logs: Path) -> None:
    found = [r for r in table(whole([str(logs)]), "encoder_NanoBEIR_tests").rows if r[0].text == "nDCG@10"]
    p, corrected = ([r[i].value or 0.0 for r in found] for i in (-2, -1))
    assert len(found) == 6
    assert min(corrected) == pytest.approx(min(1.0, min(p) * len(p)))
    assert all(a <= b for a, b in zip(p, corrected, strict=True))
    for r in found:
        assert (r[7].value or 0.0) <= (r[6].value or 0.0) <= (r[8].value or 0.0)


def test_layouts_hold_the_same_numbers(logs: Path) -> None:
    combined = table(whole([str(logs)]), "encoder_NanoBEIR_ndcg@10")
    alone = table(whole([str(logs)], layout="per-backbone"), "encoder_NanoBEIR_ndcg@10_l6")
    across = table(whole([str(logs)], layout="subcolumns"), "encoder_NanoBEIR_ndcg@10")
    expected = row(combined, "l6", "structneg − baseline")
    assert row(alone, "structneg − baseline") == expected
    assert [row(across, "l6")[across.headings.index(f"{n} Δ structneg") - 1] for n in combined.headings[2:]] == [
        *expected
    ]
    untouched, trained = row(combined, "l6", "untouched")[0].value or 0, row(combined, "l6", "structneg")[0].value or 0
    assert row(alone, "structneg − untouched")[0].value == pytest.approx(trained - untouched)


def test_verifiers_have_both_stages_modes_and_costs(logs: Path) -> None:
    found = table(whole([str(logs)]), "verifier_NanoBEIR")
    after, before = row(found, "MapCNN", "frozen", "+ verifier"), row(found, "MapCNN", "frozen", "encoder")
    both = [stored(logs, "cnn-frozen-42", "retrieval", n, "ndcg@10") for n in ("NanoNQ", "NanoMSMARCO")]
    assert after[0].value == pytest.approx(statistics.mean(both))
    first = [
        stored(logs, "cnn-frozen-42", "retrieval", n, "recall_stage", "ndcg@10") for n in ("NanoNQ", "NanoMSMARCO")
    ]
    assert before[0].value == pytest.approx(statistics.mean(first))
    assert after[4].shown == "332,545"
    assert row(found, "MapCNN", "e2e", "+ verifier")[0].value is not None


def test_the_papers_mean_accuracy_averages_in_that_at_ten(made: Made) -> None:
    run = made("cnn-frozen", recall=0.5, changes={"verifier": {"class_path": "V"}})
    file = run / "version_0" / "results.json"
    results = json.loads(file.read_text())
    for entry in results["retrieval"].values():
        entry["accuracy@1"], entry["accuracy@10"] = 0.2, 0.8
    file.write_text(json.dumps(results))
    fixed, paper = (table(whole([str(run)], paper=p), "verifier_NanoBEIR") for p in (False, True))
    assert row(fixed, "V", "frozen", "+ verifier")[2].value == pytest.approx(0.2)
    assert row(paper, "V", "frozen", "+ verifier")[2].value == pytest.approx(0.5)
    assert any("averages" in note for note in paper.notes)


def test_near_misses_stand_by_category_with_the_cues_below(logs: Path) -> None:
    found = table(whole([str(logs)]), "nearmiss_pairs")
    assert found.headings == ("system", "all", "negation", "spatial")
    assert row(found, "word overlap")[0].value == 0.5
    expected = stored(logs, "untouched-l6-42", "nearmiss", "pairs", "categories", "spatial", "auroc")
    assert row(found, "untouched-l6")[2].value == pytest.approx(expected)
    means = table(whole([str(logs)], paper=True), "nearmiss_pairs")
    assert row(means, "untouched-l6")[0].value == stored(logs, "untouched-l6-42", "nearmiss", "pairs", "negative_mean")


def test_what_is_not_comparable_has_a_star_and_no_number(made: Made) -> None:
    made("baseline")
    made("structneg")
    logs = made("shorter", changes={"max_length": 32}).parent
    found = table(whole([str(logs)]), "encoder_NanoBEIR_ndcg@10")
    assert row(found, "tiny", "shorter")[0].text == "*"
    assert "* shorter, NanoNQ: not comparable: max_length 32, not 128" in found.notes


@pytest.mark.parametrize("name", ["untouched", "untouched-l6"])
def test_the_baseline_is_a_system_or_a_part_of_names(logs: Path, name: str) -> None:
    found = table(whole([str(logs)], baseline=name), "encoder_NanoBEIR_ndcg@10")
    assert row(found, "l6", "structneg − untouched")[0].value is not None
    with pytest.raises(UserError, match="--baseline none: no system is called so; there are baseline-l6"):
        whole([str(logs)], baseline="none")


def test_versions_that_differ_are_told(made: Made) -> None:
    logs = made("a").parent
    made("b", changes={"versions": {"compret": "0.2.0"}})
    assert whole([str(logs)]).notes == ("runs of different versions of compret stand side by side: 0.1.0, 0.2.0",)


def test_a_file_that_is_gone_leaves_the_values_without_a_test(logs: Path) -> None:
    (logs / "baseline-l6-42" / "version_0" / "per_query" / "NanoNQ.jsonl").unlink()
    report = whole([str(logs)])
    assert row(table(report, "encoder_NanoBEIR_ndcg@10"), "l6", "baseline")[0].value is not None
    assert any("baseline-l6: no test of ndcg@10 on NanoNQ" in note for note in report.notes)


NASTY = "<script>alert(1)</script>|&%$#_{}~^\\*`\n\"'"
TABLE = Table(
    "t/x", NASTY, (NASTY, "a"), ((Cell(text=NASTY), Cell(value=-0.12345, std=0.01, bold=True)),), notes=(NASTY,)
)


def test_every_format_escapes_what_it_must() -> None:
    assert "<script" not in html(TABLE)
    assert "<b>-0.123 ± 0.010</b>" in html(TABLE)
    [heading, _, only] = [line for line in markdown(TABLE).splitlines() if line.startswith("|")]
    assert heading.count("|") - heading.count("\\|") == only.count("|") - only.count("\\|") == 3
    assert "<script" not in only.replace("\\<", "")
    assert r"\&\%\$\#\_\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}" in tex(TABLE)
    assert r"\textbf{-0.123 $\pm$ 0.010}" in tex(TABLE)
    assert [*csv.reader(io.StringIO(comma_separated(TABLE)))] == [[NASTY, "a", "a std"], [NASTY, "-0.12345", "0.01"]]


def test_the_command_prints_short_tables_or_writes_all(logs: Path, compret: Callable[..., tuple[int, str]]) -> None:
    code, said = compret("report", logs)
    assert code == 0, said
    assert "NanoBEIR, mean over sets" in said
    assert "MRR@10 on NanoBEIR" not in said
    code, said = compret("report", logs, "--out", "out", "--format", "md,csv")
    assert code == 0, said
    names = {path.name for path in (logs.parent / "out" / "tables").iterdir()}
    assert {"encoder_NanoBEIR_ndcg@10.md", "encoder_NanoBEIR_ndcg@10.csv", "nearmiss_pairs.md"} <= names
    assert compret("report", logs, "--format", "doc")[0] == 2


def test_a_broken_file_costs_the_tests_of_its_system_alone(made: Made) -> None:
    made("baseline")
    made("structneg", quality=0.3)
    broken = made("broken", quality=0.2)
    logs = broken.parent
    (broken / "version_0" / "scores" / "pairs.jsonl").write_text('{"anchor": "a", "candidate": "b", "label": 1}\n')
    report = whole([str(logs)])
    near_misses = table(report, "nearmiss_tests")
    assert {row[1].text for row in near_misses.rows if row[-2].value is not None} == {"structneg"}
    assert {row[1].text for row in near_misses.rows if row[-2].value is None} == {"broken"}
    assert any(note.startswith("broken: no test of auroc on pairs") for note in report.notes)
