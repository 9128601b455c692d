"""Style calibration: the paper's rules by hand, and what must survive them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmltc_kedro.augmentation.style import StyleProfile, StyleRules, calibrate_style, measure_style

LOWER = StyleRules(True, False, False)
SPACES = StyleRules(False, True, False)
SPLIT = StyleRules(False, False, True)
NONE = StyleRules(False, False, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I can't recommend it.", "i ca n't recommend it ."),
        ("It's great, isn't it?", "it 's great , is n't it ?"),
        ("They're good; we've two & I'll buy more!", "they 're good ; we 've two & i 'll buy more !"),
        ("I'd say I'm happy", "i 'd say i 'm happy"),
        ("WON'T fit", "wo n't fit"),
        ("the dogs' beds", "the dogs' beds"),
        ("It’s what I can’t find", "it ’s what i ca n’t find"),
        ("“Good” value", "“ good ” value"),
        ('He said "wow"', 'he said " wow "'),
        ("3.5 cm, 1,000 g at 10:30.", "3.5 cm , 1,000 g at 10:30 ."),
        ("(.5 mm) for $.50", "( .5 mm ) for $.50"),
        ("about 3.5.", "about 3.5 ."),
        ("Size: 10", "size : 10"),
        ("size:10", "size : 10"),
        ("Hmm... well… no", "hmm ... well … no"),
        ("really?!", "really ?!"),
        ("a (very) [nice] one", "a ( very ) [ nice ] one"),
        ("non-stick and/or 50%", "non-stick and/or 50%"),
        (" two\n lines\t here ", "two lines here"),
        ("", ""),
    ],
)
def test_all_of_the_papers_rules(text: str, expected: str) -> None:
    assert calibrate_style(text, StyleRules.all()) == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (LOWER, "it's 3.5 cm, can't fit!"),
        (SPACES, "It's 3.5 cm , CAN'T fit !"),
        (SPLIT, "It 's 3.5 cm, CA N'T fit!"),
        (NONE, "It's 3.5 cm, CAN'T fit!"),
    ],
)
def test_each_rule_alone(rules: StyleRules, expected: str) -> None:
    assert calibrate_style("It's  3.5 cm, CAN'T fit!", rules) == expected


pieces = st.sampled_from("n't n’t 's ’s 'll ' ’ . .. , : … ! ? \" “ ( $ 3 5 a N T x Σ İ _".split() + [" ", "\n"])
all_rules = st.builds(StyleRules, st.booleans(), st.booleans(), st.booleans())
odd_texts = st.one_of(st.text(max_size=30), st.lists(pieces, max_size=12).map("".join))


@settings(max_examples=400)
@given(text=odd_texts, rules=all_rules)
def test_calibrating_twice_changes_nothing_more(text: str, rules: StyleRules) -> None:
    once = calibrate_style(text, rules)
    assert calibrate_style(once, rules) == once


@settings(max_examples=200)
@given(text=odd_texts, rules=all_rules)
def test_calibration_changes_nothing_but_case_and_white_space(text: str, rules: StyleRules) -> None:
    expected = text.lower() if rules.lowercase else text
    assert "".join(calibrate_style(text, rules).split()) == "".join(expected.split())


# ---------------------------------------------------------------------- the corpus' style


def test_profile_counts_texts_marks_and_contractions() -> None:
    profile = measure_style(["all lower , here .", "Upper. it's", "do n't ! it 's ok ?"])
    assert profile.lowercase == pytest.approx(2 / 3)
    assert profile.spaced_punctuation == pytest.approx(4 / 5)
    assert profile.split_contractions == pytest.approx(2 / 3)


def test_tokenised_corpus_chooses_all_rules() -> None:
    corpus = ["i ca n't recommend it .", "it 's great , really !"]
    assert measure_style(corpus).choose_rules() == StyleRules.all()


def test_corpus_as_people_write_chooses_no_rule() -> None:
    corpus = ["I can't recommend it.", "It's great, really! 3.5 cm"]
    assert measure_style(corpus).choose_rules() == NONE


def test_lower_case_corpus_chooses_that_rule_alone() -> None:
    assert measure_style(["i can't recommend it.", "it's great, really!"]).choose_rules() == LOWER


@pytest.mark.parametrize("texts", [[], ["3.5", "UPPER"]])
def test_profile_without_anything_to_measure_is_zero(texts: list[str]) -> None:
    profile = measure_style(texts)
    assert (profile.spaced_punctuation, profile.split_contractions) == (0, 0)


def test_rules_need_a_majority() -> None:
    assert StyleProfile(0.5, 0.51, 0.49).choose_rules() == SPACES


def test_calibrated_text_has_the_style_it_was_calibrated_to() -> None:
    texts = ["I can't. It's fine!", "We've got 3.5, haven't we?"]
    profile = measure_style([calibrate_style(text, StyleRules.all()) for text in texts])
    assert profile == StyleProfile(1.0, 1.0, 1.0)
