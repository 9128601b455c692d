"""The figures of the README, docs/accuracy.md and docs/reproduction.md are those of the stored results."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_table(page: Path, header: str) -> Iterator[list[str]]:
    """Return the cells of each row of the first table whose first line begins with `header`."""
    lines = page.read_text("utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(header))
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def test_readme_shows_the_stored_results() -> None:
    stored = read_rows(RESULTS / "default_method.csv")
    shown = list(read_table(ROOT / "README.md", "| dataset | documents"))
    assert len(shown) == 4
    for cells in shown:
        name = re.findall(r"`(\w+)`", cells[0])[0]
        rows = [row for row in stored if (row["dataset"], row["encoder"]) == (name, "all-MiniLM-L6-v2")]
        rows = [row for row in rows if row["judgements"] == "0"]
        assert sorted(row["seed"] for row in rows) == ["42", "43", "44"]
        assert cells[3] == f"**{mean(float(row['sample_f1']) for row in rows):.3f}**", name
        assert cells[5] == f"{mean(float(row['zero_shot']) for row in rows):.3f}", name


def test_pages_show_the_method_with_both_encoders() -> None:
    stored = [row for row in read_rows(RESULTS / "default_method.csv") if row["judgements"] == "0"]
    page = list(read_table(ROOT / "docs" / "accuracy.md", "| dataset | the default method"))
    above = ""
    for cells in page:
        encoder = "all-mpnet-base-v2" if cells[0].startswith("the same") else "all-MiniLM-L6-v2"
        above = above if cells[0].startswith("the same") else cells[0].split("`")[1]
        scores = [float(row["sample_f1"]) for row in stored if (row["dataset"], row["encoder"]) == (above, encoder)]
        assert len(scores) == 3
        shown = [float(number) for number in cells[1].replace("*", "").split(" ± ")]
        assert shown == pytest.approx([mean(scores), stdev(scores)], abs=0.00056), (above, encoder)


def test_readme_shows_the_papers_encoder_and_the_judgements() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    ours = [row for row in read_rows(RESULTS / "default_method.csv") if row["encoder"] == "all-mpnet-base-v2"]
    ours = [row for row in ours if (row["dataset"], row["judgements"]) == ("amazon531_real", "0")]
    rows = {row["variant"]: row for row in read_rows(RESULTS / "ablation_paper_mpnet_amazon531_real.csv")}
    figures = [mean(float(row["sample_f1"]) for row in ours)]
    figures += [float(rows[name]["sample_f1"]) for name in ("final", "published_code")]
    shown = re.search(r"reaches (\S+), the preset (\S+), the paper's published code (\S+);", readme)
    assert shown is not None and list(map(float, shown.groups())) == pytest.approx(figures, abs=0.00056)
    judged = [row for row in read_rows(RESULTS / "judgements.csv") if row["documents"] == "2000"]
    shares = {s: [row for row in judged if row["test_share"] == s] for s in ("0.0", "0.2")}
    without, asked = (mean(float(row["sample_f1"]) for row in shares[share]) for share in ("0.0", "0.2"))
    assert f"{without:.3f} with 2,000 training documents, {asked:.3f} with" in readme


def test_pages_show_what_the_preset_gives() -> None:
    stored = read_rows(RESULTS / "paper_preset.csv")
    readme = {cells[0].split("`")[1]: cells[4] for cells in read_table(ROOT / "README.md", "| dataset | documents")}
    page = read_table(ROOT / "docs" / "accuracy.md", "| dataset | the default method")
    accuracy = {cells[0].split("`")[1]: cells[3] for cells in page if "`" in cells[0]}
    for name in dict.fromkeys(row["dataset"] for row in stored):
        scores = [float(row["sample_f1"]) for row in stored if row["dataset"] == name]
        assert readme[name] == f"{mean(scores):.3f}"
        assert accuracy[name] == f"{mean(scores):.3f} ± {stdev(scores):.3f}"


def test_accuracy_shows_what_descriptions_add() -> None:
    stored = read_rows(RESULTS / "descriptions.csv")
    shown = list(read_table(ROOT / "docs" / "accuracy.md", "| dataset | without descriptions"))
    assert {cells[0].strip("`") for cells in shown} == {row["dataset"] for row in stored}
    for name, *cells in shown:
        pairs = [
            (float(row["without"]), float(row["with_descriptions"]))
            for row in stored
            if row["dataset"] == name.strip("`")
        ]
        without, described = zip(*pairs, strict=True)
        assert cells[0] == f"{mean(without):.3f} ± {stdev(without):.3f}"
        assert cells[1] == f"{mean(described):.3f} ± {stdev(described):.3f}"
        assert float(cells[2].replace("−", "-")) == pytest.approx(mean(described) - mean(without), abs=0.00051)


def test_accuracy_shows_what_each_part_adds() -> None:
    stored = read_rows(RESULTS / "parts.csv")
    shown = {cells[0]: cells[1:] for cells in read_table(ROOT / "docs" / "accuracy.md", "| | sample | amazon_toys_uk")}
    assert list(shown) == list(dict.fromkeys(row["title"] for row in stored))
    means = {}
    for title, cells in shown.items():
        for name, cell in zip(("sample", "amazon_toys_uk", "hallmarks_of_cancer"), cells[:3], strict=True):
            scores = [float(row["sample_f1"]) for row in stored if (row["title"], row["dataset"]) == (title, name)]
            shown_mean, spread = map(float, cell.split(" ± "))
            assert shown_mean == pytest.approx(mean(scores), abs=0.00056), (title, name)  # stored with four digits
            assert spread == pytest.approx(stdev(scores), abs=0.00056), (title, name)
            means[title, name] = mean(scores)
        lost = mean(means["the default method", name] - means[title, name] for name in {n for _, n in means})
        if title != "the default method":
            difference, low, high = map(float, re.findall(r"[+-]\d\.\d+", cells[3]))
            assert difference == pytest.approx(lost, abs=0.0011) and low <= difference <= high, title


def test_reproduction_shows_the_frozen_encoder_of_the_paper() -> None:
    stored = read_rows(RESULTS / "paper_frozen_mpnet.csv")
    rows = [row for row in stored if row["judgements"] == "0"]
    (judged,) = [row for row in stored if row["judgements"] != "0"]
    scores = [float(row["sample_f1"]) for row in rows]
    page = (ROOT / "docs" / "reproduction.md").read_text("utf-8")
    assert f"frozen:** {mean(scores):.3f} ± {stdev(scores):.3f} (seeds {', '.join(r['seed'] for r in rows)}" in page
    assert f"nearest class {float(rows[0]['zero_shot']):.3f}" in page
    asked = f"{int(judged['judgements']):,} recorded judgements"
    shown = f"seed {judged['seed']} has {float(judged['sample_f1']):.3f}"
    assert asked in page and shown in page


def test_accuracy_shows_what_judgements_add() -> None:
    stored = sorted(read_rows(RESULTS / "judgements.csv"), key=by_budget)
    groups = list(dict.fromkeys(by_budget(row) for row in stored))
    shown = list(read_table(ROOT / "docs" / "accuracy.md", "| collection | documents asked about"))
    assert len(shown) == len(groups)
    for group, cells in zip(groups, shown, strict=True):
        rows = [row for row in stored if by_budget(row) == group]
        assert sorted(row["seed"] for row in rows) == ["42", "43", "44"]
        scores = [float(row["sample_f1"]) for row in rows]
        means = [
            f"{mean(float(row[k]) for row in rows):.3f}" if rows[0][k] else "" for k in ("asked", "unasked", "svm")
        ]
        n_test = round(mean(int(row["n_asked"]) for row in rows))
        assert cells[:2] == [f"`{group[0]}`", f"{group[2]:,}"]
        assert cells[2:] == [str(n_test), f"{mean(scores):.3f} ± {stdev(scores):.3f}", *means]


def test_accuracy_shows_what_audits_hold() -> None:
    rows = read_rows(RESULTS / "audits_amazon531_real.csv")
    reported, judge, gold = (mean(float(row[k]) for row in rows) for k in ("reported", "by_judge", "by_gold"))
    page = (ROOT / "docs" / "accuracy.md").read_text("utf-8")
    assert (
        f"they report {reported:.3f} on average for what is accepted; on the rest it is {judge:.3f} by the judge"
        in page
    )
    assert f"and {gold:.3f} by gold" in page
    inside = {k: sum(float(r["low"]) <= float(r[k]) <= float(r["high"]) for r in rows) for k in ("by_judge", "by_gold")}
    assert inside == {"by_judge": 8, "by_gold": 0} and "*by the judge in 8 draws of 10, by gold in none*" in page


def by_budget(row: dict[str, str]) -> tuple[str, str, int]:
    return row["dataset"], row["test_share"], int(row["documents"])


def test_reproduction_shows_what_the_detector_sees() -> None:
    rows = {row["texts"]: row for row in read_rows(RESULTS / "style_study_amazon531_real.csv")}
    real, raw, calibrated = (rows[name] for name in ("real", "raw", "calibrated"))
    page = (ROOT / "docs" / "reproduction.md").read_text("utf-8")
    assert f"AUC {float(raw['detector_auc']):.3f} raw, {float(calibrated['detector_auc']):.3f} calibrated" in page
    assert f"accuracy {float(raw['detector_accuracy']):.3f} and {float(calibrated['detector_accuracy']):.3f}" in page
    ratios = [round(float(row["type_token_ratio"]), 3) for row in (raw, calibrated, real)]
    assert "a type-token ratio of {} raw and {} calibrated, against {}.".format(*ratios) in page


TABLES = {
    "row, all-mpnet-base-v2": "ablation_paper_mpnet_amazon531_real.csv",
    "row, all-MiniLM-L6-v2": "ablation_paper_amazon531_real.csv",
    "row around `conf/base`": "ablation_base_amazon531_real.csv",
    "row on `sample`": "ablation_paper_sample.csv",
}


@pytest.mark.parametrize("header", TABLES)
def test_reproduction_shows_the_stored_tables(header: str) -> None:
    stored = read_rows(RESULTS / TABLES[header])
    shown = list(read_table(ROOT / "docs" / "reproduction.md", f"| {header} | sample-F1"))
    assert [cells[0] for cells in shown] == [row["title"] for row in stored]
    for row, (title, score, exact, difference) in zip(stored, shown, strict=True):
        measured = [float(row[name]) for name in ("sample_f1", "sample_f1_std") if row[name]]
        assert [float(number) for number in score.split(" ± ")] == pytest.approx(measured, abs=0.00056), title
        assert float(exact) == pytest.approx(float(row["exact_match"]), abs=0.00056), title
        assert row["seeds"] == ("42 43 44" if row["sample_f1_std"] else "42"), title
        check_difference(row, difference)


def check_difference(row: dict[str, str], shown: str) -> None:
    """Compare a difference with its interval; the row of the whole has none."""
    stored = [float(row[name]) for name in ("difference", "difference_low", "difference_high") if row[name]]
    found = [float(number.replace("−", "-")) for number in re.findall(r"[−+]?\d\.\d+", shown)]
    assert found == pytest.approx(stored, abs=0.00051)
