"""The question inside a prompt.

Frameworks wrap a user's question in a template before a model sees it: retrieved context around it, a request
to refine an earlier answer, the turns of a conversation. A language model reads all of that; the reader only
needs the question. Known here are the default templates of LlamaIndex (text question answering, tree
summarise, refine, condense) and LangChain (retrieval, stuff, refine, agents), LLaVA's conversation format and
the common chat mark-ups.

Context may be long and come from strangers, so everything is found by plain search in linear time, and where
a template puts the question before such text, its own words anchor it.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["last_question"]

_IMAGE_MARK: Final = re.compile(r"<image>|<\|image\|>|<\|image_\d+\|>|<\|image_pad\|>")

_REFINE: Final = ("The original query is as follows: ", "The original question is as follows: ")
_EXISTING: Final = "\nWe have provided an existing answer"
_TASK: Final = "give a response to the following task: "

# The user's turn in chat mark-up: what opens it and what closes it.
_TURNS: Final = (
    ("<|im_start|>user\n", "<|im_end|>"),
    ("<|start_header_id|>user<|end_header_id|>", "<|eot_id|>"),
    ("[INST]", "[/INST]"),
    ("<Follow Up Message>", "<Standalone question>"),
)

# What a prompt ends with where the model is to go on, and what stands before the question then.
_CUES: Final = (
    "Answer:", "Response:", "Thought:", "AI:", "Assistant:", "ASSISTANT:", "Standalone question:",
)  # fmt: skip
_ASKED: Final = (
    "\nQuery:", "\nQuestion:", "\nUser question:", "\nFollow Up Input:", "\nFollow Up Question:", "\nInput:",
    "\nHuman:", "\nUser:", "USER:",
)  # fmt: skip

_LONG: Final = 40
"""Words from which a prompt without a known template is taken for text that ends in what is wanted."""


def last_question(text: str) -> str:
    """Find the question in what the user's turn says.

    Args:
        text: the text of the last user message, or a whole completion prompt.

    Returns:
        The question, without image marks such as ``<image>``; the text itself where nothing wraps it.
    """
    found = _IMAGE_MARK.sub("\n", text).strip()
    # A template may stand inside a turn of a conversation.
    found = _last_turn(found) or found
    for unwrap in (_refined, _task, _before_context, _before_cue, _at_the_end):
        if question := unwrap("\n" + found):
            found = question
            break
    return _among_paragraphs(found)


def _last_turn(text: str) -> str:
    for opens, closes in _TURNS:
        if opens in text:
            return text.rpartition(opens)[2].partition(closes)[0].strip()
    return ""


def _refined(text: str) -> str:
    """LlamaIndex and LangChain, refine: the question opens the prompt, or stands before the old answer."""
    for opening in _REFINE:
        if text.lstrip().startswith(opening):
            return text.lstrip().removeprefix(opening).partition(_EXISTING)[0].strip()
    if text.rstrip().endswith(("New Answer:", "Refined Answer:")):
        before, old_answer, _ = text.rpartition("\nOriginal Answer:")
        return before.rpartition("\nQuery:")[2].strip() if old_answer else ""
    return ""


def _task(text: str) -> str:
    """LlamaIndex, questions about a table's context."""
    return text.rpartition(_TASK)[2].partition(_EXISTING)[0].strip() if _TASK in text else ""


def _before_context(text: str) -> str:
    """LangChain, retrieval: the question's line, then the context, then the cue."""
    _, mark, rest = text.partition("\nQuestion:")
    question, _, after = rest.partition("\n")
    return question.strip() if mark and after.lstrip().startswith("Context:") else ""


def _before_cue(text: str) -> str:
    """Most templates: the question stands last, and a cue for the model follows it."""
    ended = text.rstrip()
    cue = next((cue for cue in _CUES if ended.endswith(cue)), None)
    if cue is None:
        return ""
    body = ended.removesuffix(cue)
    if cue == "Answer:":
        body = body.removesuffix("Helpful ").removesuffix("Final ")
    start, mark = max((body.rfind(mark), mark) for mark in _ASKED)
    return body[start + len(mark) :].strip() if start >= 0 else ""


def _at_the_end(text: str) -> str:
    """Templates without a cue: the question is the last line."""
    last_line = "\n" + text.rstrip().rpartition("\n")[2].strip()
    mark = next((mark for mark in _ASKED if last_line.startswith(mark)), None)
    return last_line.removeprefix(mark).strip() if mark else ""


def _among_paragraphs(text: str) -> str:
    paragraphs = [part.strip() for part in re.split(r"\n[^\S\n]*\n|\n-{3,}\n", text) if part.strip()]
    asking = [part for part in paragraphs if "?" in part]
    if len(paragraphs) > 1 and asking:
        return asking[-1]
    return paragraphs[-1] if paragraphs and len(text.split()) >= _LONG else text
