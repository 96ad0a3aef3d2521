import io
import os

from hypothesis import given
from hypothesis import strategies as st

from firellava.images.joined_bytes import open_joined

STEPS = st.lists(
    st.tuples(st.sampled_from(("read", "seek", "forward", "from the end")), st.integers(0, 40)), max_size=12
)


@given(head=st.binary(max_size=20), data=st.binary(max_size=40), start=st.integers(0, 40), steps=STEPS)
def test_two_runs_of_bytes_read_like_one_file(
    head: bytes, data: bytes, start: int, steps: list[tuple[str, int]]
) -> None:
    joined, whole = open_joined(head, data, start), io.BytesIO(head + data[start:])
    for step, number in steps:
        if step == "read":
            assert joined.read(number) == whole.read(number)
        elif step == "seek":
            assert joined.seek(number) == whole.seek(number)
        elif step == "forward":
            assert joined.seek(number, os.SEEK_CUR) == whole.seek(number, os.SEEK_CUR)
        else:
            length = len(whole.getvalue())
            assert joined.seek(-min(number, length), os.SEEK_END) == length - min(number, length)
            whole.seek(-min(number, length), os.SEEK_END)
    assert joined.read() == whole.read()
