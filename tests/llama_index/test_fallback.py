"""Where the API cannot answer, this machine does, and says so; LlamaIndex's own prompts do not confuse it."""

from pathlib import Path

import pytest
from llama_index.core import PromptTemplate
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import ImageNode, NodeWithScore, QueryBundle

from firellava import OfflineReader, VisionClient
from firellava.errors import MissingKey
from llama_index_firellava import FireLLaVA
from tests.llama_index.asking import CHAT, COMPLETE, RECEIPT, answer, conversation, text_of

pytestmark = pytest.mark.engine("rapidocr")

QUESTION = "What is the total?"
TOTAL = "$49.98"
PROMPT = f"USER:\n<image>\n{QUESTION}\n\nASSISTANT:"


class OneReceipt(BaseRetriever):
    """Finds the same receipt whatever is asked."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [NodeWithScore(node=ImageNode(image_path=str(RECEIPT)), score=1.0)]


@pytest.fixture
def offline() -> FireLLaVA:
    """An LLM without a key."""
    return FireLLaVA(fallback=OfflineReader())


@pytest.mark.parametrize("method", [*CHAT, *COMPLETE])
async def test_without_a_key_the_answer_is_read_here_and_says_so(offline: FireLLaVA, method: str) -> None:
    if method in CHAT:
        response = await answer(offline, method, conversation(ImageBlock(path=RECEIPT), text=QUESTION))
    else:
        documents = [ImageNode(image_path=str(RECEIPT))]
        response = await answer(offline, method, QUESTION, image_documents=documents)
    assert text_of(response) == TOTAL
    told = response.additional_kwargs
    assert told["backend"] == "offline-reader"
    assert told["degraded"] is True
    assert 0 < told["confidence"] <= 1
    assert told["cost_usd"] == "0"
    (missed,) = told["fallback_from"]
    assert missed["backend"] == "fireworks:firellava-13b"
    assert missed["reason"].startswith("MissingKey")


def test_auto_finds_the_reader() -> None:
    response = FireLLaVA(fallback="auto").chat(conversation(ImageBlock(path=RECEIPT), text=QUESTION))
    assert response.message.content == TOTAL


def test_a_formatted_prompt_is_answered_too(offline: FireLLaVA) -> None:
    documents = [ImageNode(image_path=str(RECEIPT))]
    assert offline.complete(PROMPT, formatted=True, image_documents=documents).text == TOTAL


def test_without_a_fallback_the_missing_key_is_raised() -> None:
    with pytest.raises(MissingKey, match="FIREWORKS_API_KEY"):
        FireLLaVA().chat(conversation(text=QUESTION))


async def test_retrieval_asks_the_bare_question(offline: FireLLaVA) -> None:
    engine = RetrieverQueryEngine.from_args(OneReceipt(), llm=offline, multimodal=True)
    assert str(await engine.aquery(QUESTION)) == TOTAL


def test_what_cannot_be_read_is_declined_honestly(offline: FireLLaVA, receipt: Path) -> None:
    photograph = receipt.with_name("photograph.jpg")
    question = "What animal is this?"
    response = offline.chat(conversation(ImageBlock(path=photograph), text=question))
    assert response.additional_kwargs["degraded"] is True
    declined = VisionClient(backend=OfflineReader()).ask(question, photograph).text
    assert response.message.content == declined
    assert "I only read text" in declined


def test_the_history_does_not_answer_for_the_last_question(offline: FireLLaVA) -> None:
    messages = [
        *conversation(ImageBlock(path=RECEIPT), text="What does it say?"),
        ChatMessage(role="assistant", content="A lot."),
        ChatMessage(role="user", blocks=[TextBlock(text=QUESTION)]),
    ]
    assert offline.chat(messages).message.content == TOTAL


def test_a_prompt_template_is_seen_through(offline: FireLLaVA) -> None:
    template = PromptTemplate("Context information is below.\n{context}\nQuery: {query}\nAnswer: ")
    prompt = template.format(context="A receipt.", query=QUESTION)
    documents = [ImageNode(image_path=str(RECEIPT))]
    assert offline.complete(prompt, image_documents=documents).text == TOTAL
