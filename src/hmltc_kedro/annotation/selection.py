"""Which documents are asked about, under a budget: a random part to measure with, each class, and what is in doubt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hmltc_kedro.arrays import AnyArray, BoolArray, IntArray


@dataclass(frozen=True)
class Budget:
    """How many documents may be asked about.

    Attributes:
        total: documents in all.
        test: of them test documents, which keep what is said of them.
        audit: of them drawn at random, training and test documents alike.
    """

    total: int
    test: int
    audit: int

    @classmethod
    def plan(cls, splits: pd.Series, *, max_documents: int, share: float, audit: int) -> Budget:
        """Return the budget for a corpus.

        Args:
            splits: of the N documents.
            max_documents: in all.
            share: of the corpus, and of its test documents, at most.
            audit: drawn at random, at most half of all.
        """
        total = min(max_documents, int(share * len(splits)))
        return cls(total, min(int(share * int((splits == "test").sum())), total), min(audit, total // 2))

    def split(self, n_audit: int, n_audit_test: int, n_train: int, n_test: int) -> Parts:
        """Return what is left after the audit part, by purpose.

        A quarter at least is for coverage: without documents of all classes nobody knows where the doubt is, and what
        is said of test documents helps few others. Then come test documents, which keep what is said of them, and
        training documents share the rest, one half to know the classes and one half in doubt.

        Args:
            n_audit: documents of the audit part.
            n_audit_test: of them test documents.
            n_train: training documents that may still be asked about.
            n_test: likewise test documents.
        """
        left = self.total - n_audit
        covered = min(-(-left // 4), n_train)
        test = min(self.test - n_audit_test, n_test, left - covered)
        train = min(left - test, n_train)
        coverage = max(-(-train // 2), covered)
        return Parts(coverage, test, train - coverage)


@dataclass(frozen=True)
class Parts:
    """How many documents are asked about beside the audit part.

    Attributes:
        coverage: training documents, of all classes.
        doubt_test: test documents in doubt.
        doubt_train: likewise training documents.
    """

    coverage: int
    doubt_test: int
    doubt_train: int


def choose_audit(eligible: BoolArray, is_test: BoolArray, budget: Budget, seed: int) -> IntArray:
    """Return the rows of the audit part: from training and test documents in proportion to the corpus, at random.

    Where one of the two has too few eligible documents, or too small a budget, the other makes up for it.

    Args:
        eligible: which of the N documents may be asked about.
        is_test: which are test documents.
        budget: see `Budget`.
        seed: of the draw.
    """
    order = np.random.default_rng(seed).permutation(np.flatnonzero(eligible))
    train, test = order[~is_test[order]], order[is_test[order]][: budget.test]
    wanted = round(budget.audit * float(is_test.mean()))
    n_test = min(max(wanted, budget.audit - len(train)), len(test))
    return np.sort(np.concatenate([test[:n_test], train[: budget.audit - n_test]]))


def choose_coverage(eligible: BoolArray, classes: AnyArray, count: int, seed: int) -> IntArray:
    """Return rows that cover the classes as evenly as there are documents for them.

    Round after round, each class gives one more document, drawn at random; classes with more documents come first.

    Args:
        eligible: which of the N documents may be asked about.
        classes: what each is believed to be about, its most specific silver label, (N,).
        count: documents.
        seed: of the draws.
    """
    rows = np.random.default_rng(seed).permutation(np.flatnonzero(eligible))
    frame = pd.DataFrame({"row": rows, "class": classes[rows]})
    frame["turn"] = frame.groupby("class").cumcount()
    frame["size"] = frame.groupby("class")["row"].transform("size")
    ordered = frame.sort_values(["turn", "size"], ascending=[True, False], kind="stable")
    return np.sort(ordered["row"].to_numpy()[: max(count, 0)])


def choose_doubt(eligible: BoolArray, expected_f1: AnyArray, count: int) -> IntArray:
    """Return the rows of the documents whose best label set is expected to be worth least.

    Args:
        eligible: which of the N documents may be asked about.
        expected_f1: of each document, (N,); see `expected_f1.choose_labels`.
        count: documents.
    """
    rows = np.flatnonzero(eligible)
    return np.sort(rows[np.argsort(expected_f1[rows], kind="stable")[:count]])
