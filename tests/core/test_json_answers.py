"""JSON found in what a model writes around it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firellava.json_answers import json_begun_in, json_in, json_texts_in, schema_instruction

ANSWERS = {
    "alone": '{"a": 1}',
    "in a fence": '```json\n{"a": 1}\n```',
    "in a sentence": 'Sure! {"a": 1} is what I see.',
    "after a bracket that is no JSON": 'For {Ann} [see below]: {"a": 1}',
    "after a bracket that is never closed": 'The set {x, y holds {"a": 1}',
    "after the schema": 'By {"type": "object", "properties": {"a": {}}} it is {"a": 1}',
    "after thoughts": '<think>{"a": 0}?</think>{"a": 1}',
    "after JSON that is broken": '{"a": 0,} no: {"a": 1}',
}


@pytest.mark.parametrize("text", ANSWERS.values(), ids=ANSWERS)
def test_the_last_whole_object_is_the_answer(text: str) -> None:
    assert json_in(text) == {"a": 1}


@pytest.mark.parametrize(
    "text", ["", "I cannot tell.", '{"a": {"b": 1}, "c": "x', '{"a": "}', '{"a": 1', "[1, 2]", "{'a': 1}"]
)
def test_what_is_not_whole_or_no_object_is_no_answer(text: str) -> None:
    with pytest.raises(ValueError, match="no whole JSON"):
        json_in(text)


def test_an_array_is_found_where_one_was_asked_for() -> None:
    assert json_in('See [the picture]: [{"a": 1}, {"a": 2}].', array=True) == [{"a": 1}, {"a": 2}]


def test_line_ends_inside_of_strings_are_forgiven() -> None:
    assert json_in('{"a": "two\nlines"}') == {"a": "two\nlines"}


def test_a_very_long_answer_of_brackets_takes_no_long_time() -> None:
    with pytest.raises(ValueError, match="no whole JSON"):
        json_in('{"' * 200_000)
    with pytest.raises(ValueError, match="no whole JSON"):
        json_in("{a" * 200_000)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), _values), st.data())
def test_any_object_is_found_whole_and_begun(value: dict[str, object], data: st.DataObject) -> None:
    written = json.dumps(
        value, ensure_ascii=data.draw(st.booleans()), indent=data.draw(st.none() | st.just(2))
    )
    text = f"Here it is: ```json\n{written}\n```"
    assert json_in(text) == value
    cut = data.draw(st.integers(text.index("{") + 1, text.index("{") + len(written)))
    begun = json_begun_in(text[:cut])
    assert begun is not None
    assert written.startswith(begun)
    assert json_begun_in("Here it is: ```json") is None


def test_the_instruction_says_what_form_is_wanted() -> None:
    schema = {"title": "Größe", "type": "object", "properties": {"width": {"type": "integer"}}}
    assert json.dumps(schema, ensure_ascii=False) in schema_instruction(schema)
    assert "JSON object" in schema_instruction(schema)
    assert "JSON array" in schema_instruction({"type": "array"})


def test_all_values_are_found_as_they_were_written_with_line_ends_that_json_allows() -> None:
    written = 'First {"total": 1.10}, then {"shop": "A\nB"} and {"cut": '
    assert json_texts_in(written) == ['{"total": 1.10}', '{"shop": "A\\u000aB"}']
    assert json_begun_in('{"shop": "A\nB') == '{"shop": "A\\u000aB'


@pytest.mark.parametrize("astray", ["[" * 100_000, "[" * 100_000 + "]" * 100_000])
def test_brackets_without_end_hold_no_json(astray: str) -> None:
    with pytest.raises(ValueError, match="no whole JSON"):
        json_in(astray, array=True)
