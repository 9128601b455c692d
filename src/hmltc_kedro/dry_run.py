"""What the description of a taxonomy would cost: `python -m hmltc_kedro.dry_run <folder>`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from hmltc_kedro.corpus.class_sources import read_folder
from hmltc_kedro.enrichment.descriptions import ask_for_descriptions
from hmltc_kedro.errors import InputError
from hmltc_kedro.llm.money import Plan, estimate
from hmltc_kedro.llm.parsing import describe_problem
from hmltc_kedro.llm.settings import OpenAISettings
from hmltc_kedro.taxonomy import Taxonomy


def plan_descriptions(
    taxonomy: Taxonomy, settings: OpenAISettings, temperature: float = 0.7, max_tokens: int = 200
) -> Plan:
    """Return what describing every class would take with an empty cache."""
    return estimate(ask_for_descriptions(taxonomy, temperature, max_tokens), settings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line and return 0, or 2 where the folder or the model is wrong."""
    parser = argparse.ArgumentParser(prog="python -m hmltc_kedro.dry_run", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with classes.txt and class_hierarchy.txt")
    parser.add_argument("--model", default="gpt-4o-mini")
    given = parser.parse_args(arguments)
    try:
        settings = OpenAISettings(model=given.model)
        plan = plan_descriptions(read_folder(given.folder), settings)
    except ValidationError as error:
        print(f"Error: {describe_problem(error)}", file=sys.stderr)
        return 2
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(f"describe_class with {plan}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
