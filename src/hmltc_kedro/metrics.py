"""`python -m hmltc_kedro.metrics GOLD PREDICTIONS`: the scores of any two label files."""

from hmltc_kedro.evaluation.label_files import main

if __name__ == "__main__":
    raise SystemExit(main())
