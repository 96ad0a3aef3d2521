"""What looks like a label, so that it is the value of no other."""

import pytest

from firellava.reader.labels import is_label, is_numbered, looks_like_label


@pytest.mark.parametrize(
    "text", ["Total", "Due date", "Description", "4. Place of birth", "Tax code", "Employee name:"]
)
def test_labels_look_like_labels(text: str) -> None:
    assert looks_like_label(text)


@pytest.mark.parametrize(
    "text", ["Oscar Lindgren", "47A", "Warehouse", "Paris", "12 Mill Road", "Order code 4471"]
)
def test_values_do_not(text: str) -> None:
    assert not looks_like_label(text)
    assert not is_label(text)


def test_labels_of_a_form_are_numbered() -> None:
    assert is_numbered("10. Purpose of journey")
    assert not is_numbered("10.50")
