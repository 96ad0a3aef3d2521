"""What a model wrote is read as the form that was asked for, whatever it wrote around it, or is an error."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, RootModel

from llama_index_firellava.structured_output import StructureMissed, read_answer


class Picture(BaseModel):
    """What a picture shows."""

    colour: str
    paid: int
    shop: str


class Box(RootModel[list[int]]):
    """Numbers."""


@pytest.mark.parametrize(
    "written",
    [
        '{"colour": "red", "paid": 1, "shop": "A"}',
        '```json\n{"colour": "red", "paid": 1, "shop": "A"}\n```',
        'Here it is:\n\n```\n{"colour": "red", "paid": 1, "shop": "A"}\n```\nAnything else?',
        'I see [a {picture}]: {"colour": "red", "paid": 1, "shop": "A"} - and {"colour": "blue"}.',
        'Like {"colour": 5}? No: {"colour": "red", "paid": 1, "shop": "A"}',
        '[{"colour": "red", "paid": 1, "shop": "A"}]',
        '{"colour": "blue", "paid": 2, "shop": "B"} No, it is {"colour": "red", "paid": 1, "shop": "A"}',
    ],
)
def test_an_answer_is_found_in_what_models_write_around_it(written: str) -> None:
    assert read_answer(written, Picture) == Picture(colour="red", paid=1, shop="A")


class Remarks(BaseModel):
    """What may be said of a picture, or not."""

    shop: str | None = None
    total: Decimal | None = None


@pytest.mark.parametrize(
    "written",
    [
        'It follows {"type": "object", "properties": {"shop": {}}}: {"shop": "A\\nB", "total": 1.1}',
        '{"shop": "A\nB",\n"total": 1.1}',
    ],
    ids=["a schema before it", "line ends in texts"],
)
def test_what_was_written_is_what_is_read(written: str) -> None:
    read = read_answer(written, Remarks)
    assert (read.shop, str(read.total)) == ("A\nB", "1.1")


@pytest.mark.parametrize("written", ["", "No.", "[" * 100_000, '{"a":' * 50_000, "```json\n```", "{}"])
def test_where_there_is_none_the_error_says_so(written: str) -> None:
    with pytest.raises(StructureMissed, match="no Picture"):
        read_answer(written, Picture)


@given(st.text(), st.text(), st.lists(st.integers()))
def test_a_list_is_found_whatever_stands_before_and_after(
    before: str, after: str, numbers: list[int]
) -> None:
    """Unless the words around it begin a value themselves."""
    before, after = (words.replace("[", "") for words in (before, after))
    written = f"{before}{Box(numbers).model_dump_json()}{after}"
    assert read_answer(written, Box).root == numbers
