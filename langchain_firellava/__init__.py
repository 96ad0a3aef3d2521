"""FireLLaVA for LangChain: a chat model and a completions model that take images.

    from langchain_core.messages import HumanMessage
    from langchain_firellava import ChatFireLLaVA, image_block

    llm = ChatFireLLaVA(temperature=0, fallback="auto")
    question = {"type": "text", "text": "What is the total?"}
    answer = llm.invoke([HumanMessage([question, image_block("receipt.jpg")])])
    print(answer.content, answer.response_metadata["backend"], answer.usage_metadata)

This package only translates between LangChain and `firellava`, which does the work.
"""

from importlib.util import find_spec

from firellava.errors import MissingExtra

if find_spec("langchain_core") is None:
    raise MissingExtra("langchain", "langchain_firellava")

from langchain_firellava.chat_models import ChatFireLLaVA
from langchain_firellava.images import image_block
from langchain_firellava.llms import FireLLaVACompletions

__all__ = ["ChatFireLLaVA", "FireLLaVACompletions", "image_block"]
