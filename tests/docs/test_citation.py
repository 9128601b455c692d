"""CITATION.cff says of the software what the package says, and names the paper as the README does."""

import tomllib

import yaml

from kedro_project import REPOSITORY

CITATION = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text("utf-8"))


def test_software_is_cited_as_it_is_published() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    assert CITATION["cff-version"] == "1.2.0" and CITATION["type"] == "software"
    assert CITATION["title"].startswith(f"{project['name']}: ")
    assert str(CITATION["version"]) == project["version"] and CITATION["license"] == project["license"]


def test_paper_is_referred_to_by_the_title_in_the_readme() -> None:
    (paper,) = CITATION["references"]
    assert f"*{paper['title']}*" in (REPOSITORY / "README.md").read_text("utf-8")
