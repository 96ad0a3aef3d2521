"""Pictures to describe, and what else more than one test of captions needs."""

import threading
from collections.abc import Callable

from firellava import ImageSource
from firellava.captions import Caption, CaptionFailed
from tests.api_server.plain_requests import encoded

Results = list[Caption | CaptionFailed]
Describe = Callable[..., Results]


def picture(number: int) -> bytes:
    """A small PNG, another one for each number."""
    return encoded("PNG", (8, 8), f"#{number * 0x010305:06x}")


def source(number: int) -> ImageSource:
    return ImageSource.from_bytes(picture(number))


def wait_for_threads() -> None:
    """Let the calls end that are still on their way."""
    for thread in threading.enumerate():
        if thread.name.startswith("firellava-in-order"):
            thread.join(10)
