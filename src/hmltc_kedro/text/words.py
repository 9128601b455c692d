r"""Words of a text in any script, for bags of words; on plain ASCII those of scikit-learn.

scikit-learn's own pattern, two or more of `\w`, fails beyond alphabets. Chinese, Japanese and Thai have no spaces,
so that a clause is one token that never occurs again; and `\w` knows no combining mark, so that Hindi and Tamil
words fall to pieces at every vowel sign. Function and pattern belong together:

    TfidfVectorizer(preprocessor=separate_words, token_pattern=TOKEN_PATTERN)

There is no list of stop words and no stemmer: both would have to know the language.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e"  # Thai
    "\u0e81-\u0ebd\u0ec0-\u0ece\u0edc-\u0edf"  # Lao
    "\u1000-\u103f\u1050-\u108f\ua9e0-\ua9e6\uaa60-\uaa76\uaa7a-\uaa7f"  # Burmese
    "\u1780-\u17d3\u17d7\u17dc\u17dd"  # Khmer
    "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
    "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # Japanese syllabaries
    "\u3105-\u312f\u31a0-\u31bf"  # Chinese syllabary
    "\uac00-\ud7a3"  # Korean: it has spaces, but particles grow onto its nouns
)
"""Letters and marks of the scripts that do not set words apart, without digits and punctuation: a regex class."""


def _list_marks() -> str:
    r"""Return what goes on with a word besides `\w`, as a regex class: combining marks and the two joiners."""
    marks = [c for c in range(0x300, 0x1F000) if unicodedata.category(chr(c)).startswith("M")]
    present = set(marks)
    starts = [c for c in marks if c - 1 not in present]
    ends = [c for c in marks if c + 1 not in present]
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(starts, ends, strict=True)) + "\u200c\u200d"


MARKS = _list_marks()


TOKEN_PATTERN = rf"\w[\w{MARKS}]+|[{UNSPACED}]"
"""A word of two characters or more, or a lone character of an unspaced script."""


_RUN = re.compile(rf"[{UNSPACED}][{UNSPACED}{MARKS}]*")


_CHARACTER = re.compile(rf".[{MARKS}]*")


_TRADEMARKS = str.maketrans("\u2122\u2120", "  ")  # NFKC would make "lego™" one word, "legotm"


def separate_words(text: str) -> str:
    """Return `text` with spaces between its words, case folded and in Unicode's compatibility form (NFKC).

    A run of an unspaced script becomes its overlapping pairs of characters, each with its marks, and a lone
    character stays itself, the rule of Lucene's CJK analyser: 手机壳 becomes 手机 机壳. Plain ASCII is put in
    lower case, no more.
    """
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text.translate(_TRADEMARKS)).casefold()
    return _RUN.sub(_pair_characters, unicodedata.normalize("NFKC", text))


def _pair_characters(run: re.Match[str]) -> str:
    characters = _CHARACTER.findall(run[0])
    pairs = [a + b for a, b in pairwise(characters)]
    return f" {' '.join(pairs or characters)} "
