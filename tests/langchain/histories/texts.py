"""Conversations of texts: roles, turns, names, and the ways to write a text."""

from langchain_core.messages import (
    AIMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    convert_to_messages,
)

from tests.api_server import FIRELLAVA_13B
from tests.langchain.histories.history import ASK, History, asked

HELLO = HumanMessage("Hello")

TEXTS: dict[str, History] = {
    "text": History([HELLO]),
    "text to FireLLaVA": History([HELLO], model=FIRELLAVA_13B),
    "text, streamed": History([HELLO], streamed=True),
    "empty text": History([HumanMessage("")]),
    "blank text": History([HumanMessage(" \n")]),
    "unicode": History([HumanMessage("Größe? 寸法 🖼\n\t“q” \u0000\u2028")]),
    "system": History([SystemMessage("Be brief."), HELLO]),
    "empty system": History([SystemMessage(""), HELLO]),
    "system in blocks": History([SystemMessage([{"type": "text", "text": "Be brief."}]), HELLO]),
    "system, several": History([SystemMessage("Be brief."), SystemMessage("Be kind."), HELLO]),
    "system in the middle": History(
        [HELLO, AIMessage("Hi."), SystemMessage("Be brief."), HumanMessage("So?")]
    ),
    "developer": History(convert_to_messages([("developer", "Be brief."), ("user", "Hello")])),
    "turns": History([HELLO, AIMessage("Hi."), HumanMessage("And now?"), AIMessage("This."), HELLO]),
    "two user messages": History([HELLO, HumanMessage("Are you there?")]),
    "two answers": History([HELLO, AIMessage("Hi."), AIMessage("And welcome."), HumanMessage("Thanks.")]),
    "begun answer": History([HumanMessage("Count to five."), AIMessage("One, two,")]),
    "empty answer": History([HELLO, AIMessage(""), HumanMessage("Are you there?")]),
    "answer of no blocks": History([HELLO, AIMessage([]), HumanMessage("Are you there?")]),
    "roles in ChatMessage": History(
        [ChatMessage(content="Be brief.", role="system"), ChatMessage(content="Hi", role="user")]
    ),
    "developer in ChatMessage": History([ChatMessage(content="Be brief.", role="developer"), HELLO]),
    "answer in ChatMessage": History([HELLO, ChatMessage(content="Hi.", role="assistant"), HELLO]),
    "role that does not exist": History([ChatMessage(content="Hello", role="director")]),
    "function message": History([HELLO, FunctionMessage(content="7", name="add")]),
    "ids": History(
        [HumanMessage("Hello", id="1"), AIMessage("Hi.", id="run-2"), HumanMessage("So?", id="3")]
    ),
    "names": History([HumanMessage("Hello", name="ann"), AIMessage("Hi.", name="bot"), HELLO]),
    "names in additional_kwargs": History([HumanMessage("Hello", additional_kwargs={"name": "ann"})]),
    "texts in a list": History(asked("Hello", "there")),
    "texts in an answer": History([HELLO, AIMessage(["Hi.", "And welcome."]), HumanMessage("Thanks.")]),
    "one text block": History(asked(ASK)),
    "text blocks": History(asked(ASK, {"type": "text", "text": "And why?"})),
    "empty text block": History(asked({"type": "text", "text": ""}, ASK)),
    "text block with an id": History(asked({**ASK, "id": "lc_1", "index": 0, "extras": {"a": 1}})),
    "text marked for a cache": History(asked({**ASK, "cache_control": {"type": "ephemeral"}}, ASK)),
    "text of a file": History(
        asked(ASK, {"type": "text-plain", "text": "A note.", "mime_type": "text/plain"})
    ),
    "text of Anthropic's document": History(
        asked(
            ASK, {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hm."}}
        )
    ),
    "text for OpenAI Responses": History(asked({"type": "input_text", "text": "Hello"})),
}
