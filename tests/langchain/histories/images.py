"""Conversations with images in every shape that LangChain messages have had."""

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from tests.api_server import FIRELLAVA_13B
from tests.api_server.plain_requests import data_url, encoded
from tests.langchain.histories.history import ASK, RED_IMAGE, History, asked
from tests.langchain.image_shapes import BASE64, INLINED, RED

_URL = "https://images.example.com/red.png"
HOSTED = {_URL: RED}
"""Images that the conversations name by their URLs."""

_LARGE = encoded("PNG", (3000, 1500), "#00ff00")
_WEBP = encoded("WEBP", (40, 20), "#ff0000")
_BLUE_IMAGE = {"type": "image_url", "image_url": {"url": data_url(encoded("PNG", (20, 20), "#0000ff"))}}
_STANDARD = {"type": "image", "base64": BASE64, "mime_type": "image/png"}

IMAGES: dict[str, History] = {
    **{
        # Only a model says that it has drawn an image.
        f"image, {shape}": History(asked(ASK, block))
        for shape, block in INLINED.items()
        if shape != "a drawn one"
    },
    "drawn image of an answer": History(
        [HumanMessage("Draw."), AIMessage([ASK, INLINED["a drawn one"]]), HumanMessage("Thanks.")]
    ),
    "image by URL": History(asked(ASK, {"type": "image", "url": _URL})),
    "image by URL, first version": History(asked(ASK, {"type": "image", "source_type": "url", "url": _URL})),
    "image by URL, OpenAI": History(asked(ASK, {"type": "image_url", "image_url": {"url": _URL}})),
    "image by URL, a plain string": History(asked(ASK, {"type": "image_url", "image_url": _URL})),
    "image by URL, Anthropic": History(asked(ASK, {"type": "image", "source": {"type": "url", "url": _URL}})),
    "image by URL, Google": History(
        asked(ASK, {"type": "media", "mime_type": "image/png", "file_uri": _URL})
    ),
    "image by its id elsewhere": History(asked(ASK, {"type": "image", "file_id": "file-1"})),
    "image before the text": History(asked(RED_IMAGE, ASK)),
    "image between texts": History(asked(ASK, RED_IMAGE, {"type": "text", "text": "And why?"})),
    "image alone": History(asked(RED_IMAGE)),
    "image beside a bare string": History(asked("What is this?", RED_IMAGE)),
    "two images": History(asked(ASK, RED_IMAGE, _BLUE_IMAGE)),
    "the same image twice": History(asked(ASK, RED_IMAGE, RED_IMAGE)),
    "image in a system message": History([SystemMessage([ASK, RED_IMAGE]), HumanMessage("What was it?")]),
    "image of an earlier turn": History([*asked(ASK, RED_IMAGE), AIMessage("Red."), HumanMessage("Sure?")]),
    "image in an answer": History(
        [HumanMessage("Draw."), AIMessage([ASK, RED_IMAGE]), HumanMessage("Thanks.")]
    ),
    "detail": History(
        asked(ASK, {"type": "image_url", "image_url": {"url": data_url(RED), "detail": "low"}})
    ),
    "detail beside a standard image": History(asked(ASK, {**_STANDARD, "detail": "high"})),
    "detail in extras": History(asked(ASK, {**_STANDARD, "extras": {"detail": "high"}})),
    "image marked for a cache": History(asked(ASK, {**RED_IMAGE, "cache_control": {"type": "ephemeral"}})),
    "large image": History(asked(ASK, {"type": "image_url", "image_url": {"url": data_url(_LARGE)}})),
    "image to FireLLaVA": History(asked(ASK, RED_IMAGE), model=FIRELLAVA_13B),
    "WebP image": History(asked(ASK, {"type": "image_url", "image_url": {"url": data_url(_WEBP, "webp")}})),
    "image that says it is another format": History(
        asked(ASK, {"type": "image_url", "image_url": {"url": data_url(RED, "jpeg")}})
    ),
    "image beside a blank text": History(asked({"type": "text", "text": ""}, RED_IMAGE)),
    "path in the place of an image": History(
        asked(ASK, {"type": "image_url", "image_url": {"url": "/etc/x.png"}})
    ),
    "sound": History(asked(ASK, {"type": "audio", "base64": BASE64, "mime_type": "audio/wav"})),
    "PDF": History(asked(ASK, {"type": "file", "base64": BASE64, "mime_type": "application/pdf"})),
}
