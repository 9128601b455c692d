"""Style calibration: bring a language model's clean prose to the look of the corpus it has to stand in.

Review corpora are often stored tokenised and in lower case (`i ca n't recommend it .`), which no language model
writes by itself; a classifier would learn the difference instead of the class. Paper: section on style
calibration, rules for case, spaces round punctuation, `ca n't` and `'s`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from hmltc_kedro.text.texts import Texts, read_texts

NEGATION = re.compile(r"(?<=\w)(n['’]t)(?=(?:n['’]t)*\b)", re.IGNORECASE)


CLITIC = re.compile(r"(?<=\w)(['’](?:s|re|ve|ll|d|m))\b", re.IGNORECASE)


# Before a digit only after a letter: 3.5, 1,000, 10:30, (.5 mm) and $.50 stay whole.
PUNCTUATION = re.compile(r"""\.{2,}|[.,:](?!\d)|(?<=[^\W\d])[.,:](?=\d)|[!?]+|[;()\[\]"“”…]""")


SENTENCE_MARK = re.compile(r"(?<=\S)[.,!?;](?=\s|$)|(?<=\s)[.,!?;](?=\s|$)")


CONTRACTION = re.compile(r"\w\s?(?:n['’]t|['’](?:s|re|ve|ll|d|m))\b", re.IGNORECASE)


@dataclass(frozen=True)
class StyleRules:
    """Which of the paper's rules apply."""

    lowercase: bool
    space_punctuation: bool
    split_contractions: bool

    @classmethod
    def all(cls) -> StyleRules:
        """Return the paper's setting: every rule."""
        return cls(True, True, True)


@dataclass(frozen=True)
class StyleProfile:
    """What a corpus looks like; each a share between 0 and 1.

    Attributes:
        lowercase: texts without a capital letter.
        spaced_punctuation: sentence marks (`. , ! ? ;`) with a space before them.
        split_contractions: contractions written apart (`do n't`, `it 's`).
    """

    lowercase: float
    spaced_punctuation: float
    split_contractions: float

    def choose_rules(self) -> StyleRules:
        """Return the rules that the majority of the corpus follows."""
        return StyleRules(self.lowercase > 0.5, self.spaced_punctuation > 0.5, self.split_contractions > 0.5)


def measure_style(texts: Texts) -> StyleProfile:
    """Return the profile of some texts (a few thousand are enough); all zero for none."""
    texts = read_texts(texts)
    marks = [m for t in texts for m in SENTENCE_MARK.finditer(t)]
    spaced = [m.start() > 0 and m.string[m.start() - 1].isspace() for m in marks]
    contractions = [m.group() for t in texts for m in CONTRACTION.finditer(t)]
    return StyleProfile(
        lowercase=float(np.mean([t == t.lower() for t in texts])) if texts else 0.0,
        spaced_punctuation=float(np.mean(spaced)) if spaced else 0.0,
        split_contractions=float(np.mean([" " in c for c in contractions])) if contractions else 0.0,
    )


def calibrate_style(text: str, rules: StyleRules) -> str:
    """Return `text` after `rules`.

    Decimals (`3.5`, `1,000`), times (`10:30`) and curly quotes survive; `can't` becomes `ca n't`, `it's` `it 's`.
    Applying the rules again changes nothing.
    """
    if rules.lowercase:
        text = text.lower()
    if rules.split_contractions:
        text = CLITIC.sub(r" \1", NEGATION.sub(r" \1", text))
    if rules.space_punctuation:
        text = PUNCTUATION.sub(r" \g<0> ", text)
    return " ".join(text.split())
