"""The Fireworks inference API's contract as a real HTTP server, for tests.

Its answers, tool calls and JSON for a schema among them, are made by a fixed rule from the request alone (see
`answers`, `tools` and `schemas`): no model runs here, so what a test proves is the translation on its way to
the wire and back, never the wit of a model.
The server speaks HTTP on a port of its own on 127.0.0.1, refuses what the documented API refuses, decodes the
images it receives, and never opens a connection to anywhere.

In a test, take the fixture `api_server` (`tests/conftest.py`): one server for the whole session, cleared
before each test. A second, independent one is `with ApiServer() as other:`.

    api_server.base_url          "http://127.0.0.1:PORT/inference/v1"
    api_server.key               the one key it accepts; anything else gets a 401
    api_server.port
    api_server.requests          list of RecordedRequest in order of arrival, refused and failed ones too
    api_server.billed            list of Usage: the tokens of each answer made, even where its reply told none
    api_server.usage = UsagePlacement.TRAILING_CHUNK     where usage stands in replies (default FINISH_CHUNK)
    api_server.host_image(url, data, delay=0.0)          what the "internet" holds at that URL (bytes)
    api_server.deploy(model_id, like=FIRELLAVA_13B)      one more model id, with the rules of a served one
    api_server.fail_next(Fault(...), ..., times=1)       faults for the next requests, in this order
    api_server.clear()           forget records, faults, hosted images, deployments; usage to its default

    RecordedRequest  method, path, headers (lower-case names), body (bytes), json, arrived (time.monotonic()),
                     images (tuple of ReceivedImage, decoded, in order of the request)
    ReceivedImage    format ("JPEG"), size (width, height), mean ("#rrggbb"), pixels (PIL image), data (bytes)
    Fault            status, shape, message, headers, body, delay, drop, cut_after, truncate_after,
                     stall, stall_after, drip, drip_headers: see `faults`
    Usage            prompt, completion, cached, reasoning, image: tokens
    UsagePlacement   FINISH_CHUNK, TRAILING_CHUNK, FINISH_AND_TRAILING, EVERY_CHUNK, NEVER
    FIRELLAVA_13B    "accounts/fireworks/models/firellava-13b": 4096 tokens of context, 576 an image, no tools
    QWEN_MAX         "accounts/fireworks/models/qwen3p8-max": tools, reasoning, one token per 28x28 patch

An ordinary answer reads, with the parts that do not apply left out:

    question: What is it? | system: Be a pirate. | tool result: sunny | image 1: JPEG 336x336 mean #7a7468

`plain_requests` writes requests by hand, with pictures of one colour, for tests that look at the wire itself.

As a process of its own: `python -m tests.api_server --port 8080`.
"""

from tests.api_server.faults import Fault
from tests.api_server.images import ReceivedImage
from tests.api_server.records import RecordedRequest
from tests.api_server.served_models import FIRELLAVA_13B, QWEN_MAX
from tests.api_server.server import ApiServer
from tests.api_server.usage import Usage, UsagePlacement

__all__ = [
    "FIRELLAVA_13B",
    "QWEN_MAX",
    "ApiServer",
    "Fault",
    "ReceivedImage",
    "RecordedRequest",
    "Usage",
    "UsagePlacement",
]
