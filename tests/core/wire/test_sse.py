"""The event decoder against the WHATWG rules, for every way the bytes may be cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firellava.errors import UnreadableReply
from firellava.wire.sse import EventDecoder


def decoded(stream: bytes) -> list[bytes]:
    return EventDecoder().feed(stream)


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: one\n\ndata: two\n\n", [b"one", b"two"]),
        (b"data: one\r\n\r\ndata: two\r\r", [b"one", b"two"]),
        (b"data:no space\n\n", [b"no space"]),
        (b"data:  two spaces\n\n", [b" two spaces"]),
        (b"data: first\ndata: second\n\n", [b"first\nsecond"]),
        (b"data\n\n", [b""]),
        (b": comment\n\ndata: x\n\n", [b"x"]),
        (b"event: ping\nid: 7\nretry: 10\ndata: x\n\n", [b"x"]),
        (b"\xef\xbb\xbfdata: after a byte order mark\n\n", [b"after a byte order mark"]),
        (b"data: not finished\n", []),
        ("data: a\u2028b\x0bc\x85d\n\n".encode(), ["a\u2028b\x0bc\x85d".encode()]),
        (b"", []),
    ],
)
def test_events_are_cut_as_the_standard_says(stream: bytes, events: list[bytes]) -> None:
    assert decoded(stream) == events


line_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
payloads = st.binary(max_size=20).map(lambda data: data.replace(b"\r", b"").replace(b"\n", b""))


@given(events=st.lists(st.tuples(payloads, line_ends), max_size=6), data=st.data())
def test_the_cuts_between_reads_do_not_matter(events: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    stream = b"".join(b"data: " + payload + end + end for payload, end in events)
    decoder = EventDecoder()
    found: list[bytes] = []
    rest = stream
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        found += decoder.feed(rest[:size])
        rest = rest[size:]
    assert found == [payload for payload, _ in events]


def test_an_event_without_end_is_refused() -> None:
    decoder = EventDecoder()
    for _ in range(8):
        assert decoder.feed(b"data: " + b"x" * 4_000_000) == []
    with pytest.raises(UnreadableReply):
        decoder.feed(b"data: " + b"x" * 4_000_000)
