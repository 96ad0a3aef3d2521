"""The confidence of an answer is a probability that grows with how well it fits."""

from hypothesis import given
from hypothesis import strategies as st

from firellava.reader.confidence import FITS_ENOUGH, SURE_ENOUGH, confidence_of

_FITS = st.floats(0, 1)


@given(_FITS, _FITS)
def test_what_fits_better_is_surer(one: float, other: float) -> None:
    assert 0.0 <= confidence_of(one) <= 1.0
    assert (confidence_of(one) <= confidence_of(other)) or one > other


def test_an_answer_that_is_given_is_likelier_right_than_wrong() -> None:
    assert confidence_of(FITS_ENOUGH) == SURE_ENOUGH > 0.5
    assert confidence_of(1.0) < 1.0
