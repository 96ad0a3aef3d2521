"""What the tools that let an agent ask about images have in common, whatever framework they are for.

A tool hands a model's question and the images it names to a vision model, and hands back a text. What stands
here is the wording that the agent's model reads: what it is told of the tool, of the answer, and of what went
wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from firellava.errors import AllBackendsFailed, BackendError, DeadlineExceeded, InvalidRequest
from firellava.failures import concerns_every_question

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from firellava.errors import FireLLaVAError
    from firellava.image_references import ReferredImage

__all__ = [
    "ASK",
    "CAPTION",
    "COMPARE",
    "DESCRIBE",
    "DIFFERENCES",
    "QUESTION",
    "answer_text",
    "details_of_answer",
    "error_text",
    "is_for_developer",
    "question_parts",
    "which_image",
]

ASK: Final = (
    "Look at an image and answer a question about it. Use it whenever you need to know what an image shows "
    "or says: you do not see these images yourself, and must not guess. Returns the answer as text."
)
CAPTION: Final = (
    "Describe an image that you know nothing about yet: what it shows and the text in it. Returns the "
    "description as text."
)
COMPARE: Final = (
    "Look at two images together and say what is the same and what is different, or answer a question about "
    "both. Returns the answer as text."
)
QUESTION: Final = (
    "What you want to know, as one complete and specific question. Whoever answers sees the images and this "
    "question, and nothing of the conversation."
)
DESCRIBE: Final = (
    "Describe this image: what kind of picture it is and what it shows. Then transcribe the text in it, word "
    "for word."
)
"""What is asked of an image that is to be described."""

DIFFERENCES: Final = "What is the same in these two images, and what is different?"
"""What is asked of two images where the agent asks nothing in particular."""

_DEGRADED: Final = (
    "[The vision model could not be asked. This answer was put together from text recognised in the image, "
    "without seeing what else it shows: treat it as uncertain.]"
)
_NO_ANSWER: Final = "The vision model gave no answer."
_TRY_AGAIN: Final = "The image was not looked at. Ask again once; if that fails too, go on without an answer."


def which_image(forms: str, *, several: bool = False) -> str:
    """What a model is told of an argument that names an image.

    Args:
        forms: `ImageReferences.forms`.
        several: whether the argument is a list of images.
    """
    wanted = "The images to look at together, one or more" if several else "The image to look at"
    return f"{wanted}. Name an image {forms}."


def question_parts(question: str, images: Sequence[ReferredImage]) -> tuple[str | ReferredImage, ...]:
    """What the vision model is shown, in order.

    Several images are each called what the agent calls them, since the question may.

    Raises:
        InvalidRequest: the question is empty.
    """
    if not question.strip():
        raise InvalidRequest("The question is empty: say what you want to know about the image.")
    if len(images) == 1:
        return (images[0], question)
    parts: list[str | ReferredImage] = []
    for number, image in enumerate(images, 1):
        called = image.source.name if image.source.is_url else image.reference
        parts += [f"Image {number}, {called!r}:", image]
    return (*parts, question)


def answer_text(text: str, *, degraded: bool) -> str:
    """What the agent's model is told; it sees nothing else of an answer.

    Args:
        text: the answer.
        degraded: whether something other than a vision-language model gave it (`Reply.degraded`).
    """
    text = text.strip() or _NO_ANSWER
    return f"{text}\n\n{_DEGRADED}" if degraded else text


def details_of_answer(
    images: Sequence[ReferredImage],
    told: Mapping[str, Any],
    usage: Mapping[str, Any] | None,
    *,
    from_cache: bool = False,
) -> dict[str, Any]:
    """What the developer can know of an answer beside its text, as plain JSON values and without pixels.

    Args:
        images: what was asked about.
        told: what the framework keeps beside an answer, made by `Reply.metadata`.
        usage: the tokens in the framework's own terms; None where nobody said.
        from_cache: whether a cache of the framework gave the answer, which then cost nothing; the numbers
            are those of when it was made.
    """
    kept = (
        "backend",
        "local",
        "degraded",
        "confidence",
        "evidence",
        "fallback_from",
        "cost_usd",
        "finish_reason",
        "adjustments",
        "request_id",
    )
    return {
        "images": [image.as_dict() for image in images],
        "model": told.get("model_name"),
        **{name: told.get(name) for name in kept},
        "usage": None if usage is None else dict(usage),
        "from_cache": from_cache,
    }


def is_for_developer(error: FireLLaVAError) -> bool:
    """Whether nothing that the agent's model could do would help: no question and no image."""
    return concerns_every_question(error)


def error_text(error: FireLLaVAError) -> str:
    """What the agent's model is told in place of an answer."""
    if isinstance(error, BackendError | DeadlineExceeded | AllBackendsFailed):
        return f"{error} {_TRY_AGAIN}"
    return str(error)
