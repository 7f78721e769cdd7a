"""Patterns, with Python's ``re`` as the judge."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.filter import pattern as pattern_module
from connscope.filter.pattern import Pattern
from connscope.filter.pattern_syntax import PatternError, parse_expression, parse_wildcards

TEXTS = st.text("abAB1_-. é", max_size=8)
ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "B",
        "1",
        ".",
        r"\.",
        r"\d",
        r"\w",
        r"\s",
        "[ab]",
        "[^a]",
        "[a-c1]",
        r"[\d-]",
        "é",
        "-",
    ]
)
EXPRESSIONS = st.recursive(
    ATOMS | st.sampled_from(["^", "$", ""]),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4).map("".join)
        | st.tuples(inner, inner).map("({0[0]}|{0[1]})".format)
        | st.tuples(inner, st.sampled_from("*+?")).map("(?:{0[0]}){0[1]}".format)
        | st.tuples(ATOMS, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}"])).map("".join)
    ),
    max_leaves=8,
)
HOUR_LONG = [r"(a+)+$", r"(a|a)*b", r"(.*)*x", r"(a*)*(a*)*(a*)*b", r"(\w+\s?)+\.", "a?" * 30 + "b"]


@given(EXPRESSIONS, TEXTS)
def test_expression_is_found_where_re_finds_it(expression: str, text: str):
    """Classes are those of ASCII; case counts."""
    pattern = Pattern(parse_expression(expression, ignore_case=False))
    assert pattern.found_in(text) is bool(re.search(expression, text, re.ASCII))


@given(EXPRESSIONS, TEXTS)
def test_case_is_ignored_for_ascii(expression: str, text: str):
    """The same as re says of ASCII."""
    pattern = Pattern(parse_expression(expression, ignore_case=True))
    assert pattern.found_in(text) is bool(re.search(expression, text, re.ASCII | re.IGNORECASE))


@given(EXPRESSIONS, TEXTS, st.booleans())
def test_text_of_a_pattern_is_the_same_pattern(expression: str, text: str, ignore_case: bool):
    """What goes to SQL means the same there."""
    pattern = Pattern(parse_expression(expression, ignore_case=ignore_case))
    assert bool(re.search(str(pattern), text)) is pattern.found_in(text)


@given(st.text("aB*.(é", max_size=5), TEXTS)
def test_wildcards(word: str, text: str):
    """A star is anything, everything else is itself in either case of ASCII."""
    pattern = Pattern(parse_wildcards(word))
    expression = ".*".join(map(re.escape, word.split("*")))
    expected = bool(re.search(expression, text, re.IGNORECASE | re.ASCII))
    assert pattern.found_in(text) is expected
    assert pattern.found_in_each([text, text]) == [expected] * 2


@given(st.text("aB1é", max_size=3), st.lists(TEXTS, max_size=5))
def test_many_texts_are_as_one(word: str, texts: list[str]):
    """The short way for words without a star says the same."""
    pattern = Pattern(parse_wildcards(word))
    assert pattern.found_in_each(texts) == [pattern.found_in(text) for text in texts]


@pytest.mark.parametrize("expression", HOUR_LONG)
def test_no_expression_takes_long(expression: str):
    """What keeps re busy for hours is done at once."""
    pattern = Pattern(parse_expression(expression, ignore_case=False))
    begin = time.process_time()
    pattern.found_in("a" * 5000 + "!")
    assert time.process_time() - begin < 5


def test_forgotten_ways_are_found_again(monkeypatch):
    """What is remembered has a bound, and forgetting changes no answer."""
    monkeypatch.setattr(pattern_module, "WAYS_AT_MOST", 3)
    pattern = Pattern(parse_expression("a.{3}b.c", ignore_case=False))
    texts = ["".join(letters) for letters in ("aabcabxc", "abcabxbxc", "axxxbxc", "axxxbxx")]
    assert (
        pattern.found_in_each(texts * 2)
        == [bool(re.search("a.{3}b.c", text)) for text in texts] * 2
    )
    assert len(pattern._known) <= 3


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("a)", 1), ("(a", 0), ("a[b", 1), ("[]", 0), ("*a", 0), ("a**", 2), ("a*?", 2), ("^*", 1),
        ("a{", 1), ("a{3,2}", 1), ("a{101}", 1), ("{", 0), ("\\", 0), ("\\b", 0), ("(?=a)", 1),
        ("(?i)a", 1), ("[z-a]", 1), (r"[\d-z]", 1), ("[a[b]", 2), ("a\\1", 1), ("|*", 1),
    ],
)  # fmt: skip
def test_error_has_its_place(expression: str, position: int):
    """What is wrong is named where it stands."""
    with pytest.raises(PatternError) as caught:
        parse_expression(expression, ignore_case=False)
    assert caught.value.position == position


@pytest.mark.parametrize(
    "expression",
    ["(" * 100 + ")" * 100, "((a{100}){100}){100}", "(((){100}){100}){100}", "[\u0001-\uffff]"],
)
def test_large_expression_is_an_error(expression: str):
    """An expression that would take much memory is refused before it does."""
    with pytest.raises(PatternError):
        Pattern(parse_expression(expression, ignore_case=False))
