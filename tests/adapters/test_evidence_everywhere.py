"""What the offline reader quotes is in the reply, and beside the answer in both frameworks."""

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from PIL import Image

from firellava import OfflineReader, Reply, VisionClient
from langchain_firellava import ChatFireLLaVA, image_block
from llama_index_firellava import FireLLaVA
from tests.api_server import ApiServer

RECEIPT = Path(__file__).parents[2] / "cookbook" / "images" / "receipt.jpg"
TOTAL = "What is the total?"
SUN = "How is the weather?"

reader_only = pytest.mark.engine("rapidocr")


def in_the_core(question: str) -> tuple[list[Any], str]:
    reply = VisionClient(backend=OfflineReader()).ask(question, RECEIPT)
    return reply.metadata()["evidence"], reply.text


def in_langchain(question: str) -> tuple[list[Any], str]:
    message = HumanMessage([{"type": "text", "text": question}, image_block(RECEIPT)])
    answer = ChatFireLLaVA(backend=OfflineReader()).invoke([message])
    return answer.response_metadata["evidence"], str(answer.content)


def in_a_langchain_stream(question: str) -> tuple[list[Any], str]:
    message = HumanMessage([{"type": "text", "text": question}, image_block(RECEIPT)])
    first, *others = ChatFireLLaVA(backend=OfflineReader()).stream([message])
    whole = sum(others, first)
    return whole.response_metadata["evidence"], str(whole.content)


def in_llama_index(question: str) -> tuple[list[Any], str]:
    blocks = [TextBlock(text=question), ImageBlock(path=RECEIPT)]
    response = FireLLaVA(backend=OfflineReader()).chat([ChatMessage(role="user", blocks=blocks)])
    return response.additional_kwargs["evidence"], str(response.message.content)


everywhere = pytest.mark.parametrize(
    "asked", [in_the_core, in_langchain, in_a_langchain_stream, in_llama_index], ids=lambda way: way.__name__
)


@reader_only
@everywhere
def test_the_quoted_text_is_there_as_plain_json_with_its_place(asked: Any) -> None:
    evidence, answer = asked(TOTAL)
    assert json.loads(json.dumps(evidence)) == evidence
    (amount,) = [quoted for quoted in evidence if quoted["text"] == answer]
    assert amount["image"] == 0
    left, top = amount["corners"][0]
    right, bottom = amount["corners"][2]
    assert 0.62 < left < right < 0.83  # where the amount stands on the receipt
    assert 0.63 < top < bottom < 0.69


@reader_only
@everywhere
def test_an_answer_that_declines_quotes_nothing(asked: Any) -> None:
    assert asked(SUN)[0] == []


def test_a_model_that_does_not_say_where_it_looked_has_none(api_server: ApiServer) -> None:
    reply = VisionClient(api_key=api_server.key, base_url=api_server.base_url).ask(TOTAL, RECEIPT)
    assert reply.evidence == ()
    assert reply.metadata()["evidence"] == []


@reader_only
def test_its_place_does_not_depend_on_the_size_that_was_read() -> None:
    with Image.open(RECEIPT) as receipt:
        large = receipt.resize((receipt.width * 3, receipt.height * 3), Image.Resampling.BICUBIC)
    client = VisionClient(backend=OfflineReader())
    small_place, large_place = (_place_of(client.ask(TOTAL, picture)) for picture in (RECEIPT, large))
    assert large_place == pytest.approx(small_place, abs=0.01)


@reader_only
def test_each_quotation_names_its_image() -> None:
    with Image.open(RECEIPT) as receipt:
        paper = Image.new("RGB", receipt.size, "white")
        reply = VisionClient(backend=OfflineReader()).ask(TOTAL, paper, receipt)
    assert {quoted.image for quoted in reply.evidence} == {1}


def _place_of(reply: Reply) -> tuple[float, float]:
    (amount,) = [quoted for quoted in reply.evidence if quoted.text == reply.text]
    return amount.corners[0]
