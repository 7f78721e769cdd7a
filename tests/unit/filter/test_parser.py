"""Any text is a filter or an error with a place, quickly; while typing there is no error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.filter import Filter, FilterError, parse
from connscope.filter.parser import DEPTH_AT_MOST, LENGTH_AT_MOST, TERMS_AT_MOST
from tests.unit.filter.oracle import Drawn, filters
from tests.unit.sample_rows import one_row

PIECES = st.sampled_from(
    [
        *("(", ")", "-", " ", "or", "and", "not", '"', "/", "\\", ",", "..", "*", "%", "\n", "é"),
        *(":", "=", "!=", "<", ">", "~", "port", "proc", "ip", "rtt", "tx", "is", "age", "state"),
        *(
            "80",
            "5ms",
            "10.0.0.0/8",
            "::1",
            "nginx",
            "failed",
            "client.",
            "x.",
            "[a-",
            "a{2}",
            "\ud800",
        ),
    ]
)
TEXTS = st.text(max_size=40) | st.lists(PIECES, max_size=20).map("".join)
ROWS = one_row(kind=1, known=127, pid=1, comm=b"nginx", local_address="10.0.0.1", peer_port=80)


def parsed_or_error(text: str) -> Filter | FilterError:
    """What becomes of a text."""
    try:
        return parse(text)
    except FilterError as error:
        return error


@given(TEXTS)
def test_any_text_is_a_filter_or_an_error_with_a_place(text: str):
    """Nothing but FilterError comes out, and its position is in the text."""
    found = parsed_or_error(text)
    if isinstance(found, FilterError):
        assert 0 <= found.position <= len(text)
        assert str(found).splitlines()[-1].endswith("^")
    else:
        found.mask(ROWS, now_ns=1)
        found.sql(now_ns=1)
        assert parse(str(found)) == found


@given(TEXTS)
def test_no_text_is_an_error_while_typing(text: str):
    """What is ignored lies in the text; what is left is a filter; only an error is ignored."""
    wanted = parse(text, unfinished="ignore")
    assert all(0 <= each.start < each.end <= len(text) for each in wanted.ignored)
    assert str(parse(str(wanted))) == str(wanted)
    assert bool(wanted.ignored) is isinstance(parsed_or_error(text), FilterError)


@given(filters(), st.data())
def test_typing_a_filter_is_never_an_error(drawn: Drawn, data: st.DataObject):
    """Every beginning of a filter is one."""
    end = data.draw(st.integers(0, len(drawn.text)))
    parse(drawn.text[:end], unfinished="ignore").mask(ROWS, now_ns=1)


@given(
    st.lists(st.sampled_from(["-", "not ", "or ", "and ", "(", ")", " :", "~", '"']), max_size=8)
)
def test_operators_alone_hide_nothing(signs: list[str]):
    """Text without a condition matches everything while somebody types."""
    text = "".join(signs)
    if text.count('"') > 1:  # they would be a text
        text = text.partition('"')[0]
    assert parse(text, unfinished="ignore").mask(ROWS, now_ns=1).all()


@pytest.mark.parametrize(
    "text",
    ["(" * LENGTH_AT_MOST, "-(" * 4000 + "x", "(" * 4000 + "x" + ")" * 4000, "(x " * 2000],
)
def test_deep_text_is_an_error(text: str):
    """Parentheses end where we say, not where the stack does."""
    with pytest.raises(FilterError, match=f"at most {DEPTH_AT_MOST} parentheses"):
        parse(text)
    parse(text, unfinished="ignore").mask(ROWS, now_ns=1)


def test_deepest_text():
    """As many parentheses as there may be work in every way."""
    wanted = parse("-(a or " * DEPTH_AT_MOST + "nginx" + ")" * DEPTH_AT_MOST)
    assert parse(str(wanted)) == wanted
    assert wanted.mask(ROWS, now_ns=1).tolist() == [True]
    assert wanted.sql(now_ns=1)[0].count(" IS NOT TRUE") == DEPTH_AT_MOST


@pytest.mark.parametrize("sign", ["-", "not ", "- "])
def test_many_nots_are_one_or_none(sign: str):
    """Signs before a term count by twos, however many there are."""
    assert str(parse(sign * 2000 + "nginx")) == "nginx"
    assert str(parse(sign * 2001 + "nginx")) == "-nginx"


@pytest.mark.parametrize("text", ["x " * (TERMS_AT_MOST + 1), "pid:" + "1," * TERMS_AT_MOST + "1"])
def test_many_terms_are_an_error(text: str):
    """There is a bound that every database can live with."""
    with pytest.raises(FilterError, match=f"at most {TERMS_AT_MOST} terms") as caught:
        parse(text)
    assert caught.value.position < len(text)
    assert len(parse(text, unfinished="ignore").ignored) == 1


def test_long_text_is_an_error():
    """The error is where the text becomes too long."""
    text = "x" * LENGTH_AT_MOST
    with pytest.raises(FilterError, match="characters") as caught:
        parse(text + "y")
    assert caught.value.position == LENGTH_AT_MOST
    spans = parse(" " * LENGTH_AT_MOST + "yy", unfinished="ignore").ignored
    assert [(each.start, each.end) for each in spans] == [(LENGTH_AT_MOST, LENGTH_AT_MOST + 2)]


def test_long_word_is_an_error():
    """A word has a bound of its own."""
    with pytest.raises(FilterError, match="more than 300 steps"):
        parse("x" * 301)


def test_byte_that_is_not_utf8_is_an_error():
    """What the command line makes of such a byte would be an error of the database."""
    with pytest.raises(FilterError, match="as in JSON") as caught:
        parse("a b\udcff")
    assert caught.value.position == 3
    assert str(parse("a b\udcff", unfinished="ignore")) == "a b"


def test_unknown_field_lists_the_known_ones():
    """Whoever asks for a field of a later version learns what there is."""
    with pytest.raises(FilterError, match="there is no field 'container' here; there are: proc, "):
        parse("container:web")
    with pytest.raises(FilterError, match="there is no flag 'new' here; there are: listening, "):
        parse("is:new")


def test_message_of_a_long_text_is_short():
    """The surroundings of the place are shown, not all the text."""
    with pytest.raises(FilterError) as caught:
        parse("nginx " * 200 + "rtt>5" + " curl" * 200)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) < 100
    assert lines[1][lines[2].index("^")] == "5"


@pytest.mark.parametrize("text", ["a\x1b[2J rtt>5", "\u202ea rtt>5"])
def test_message_moves_no_cursor(text: str):
    """What can not be printed is shown as a question mark."""
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert all(line.isprintable() for line in str(caught.value).splitlines())
