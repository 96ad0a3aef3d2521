"""From what a caller gives to a `Request`, checked as far as that needs no pixels and no model card."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, get_args

from firellava.errors import InvalidRequest
from firellava.images import ImageSource, describe_metadata
from firellava.messages import ImagePart, Message, Parameters, Request, TextPart
from firellava.models import Fit
from firellava.wire.completions import prompt_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from firellava.images import ImageInput
    from firellava.messages import Part

__all__ = [
    "LEFT_OUT",
    "chat_request",
    "completion_request",
    "load_images",
    "newest_images",
    "question_message",
]

LEFT_OUT: Final = "[An earlier image is no longer shown here.]"
"""What a model reads where an image was left out."""


def question_message(question: str, images: Iterable[ImageInput]) -> Message:
    """One question about some images as a message.

    Raises:
        InvalidRequest: the question is empty.
        ImageError: something given as an image is none.
    """
    if not question.strip():
        raise InvalidRequest("The question is empty.")
    # The image comes first, as in LLaVA's training conversations.
    return Message("user", [*(ImagePart(ImageSource.of(image)) for image in images), TextPart(question)])


def chat_request(messages: Sequence[Message], parameters: dict[str, Any], *, stream: bool) -> Request:
    """A conversation as a request.

    Raises:
        InvalidRequest: there is nothing to answer, or a parameter is unknown or out of range.
    """
    fit, steering = _fit_and_steering(parameters)
    request = Request(tuple(messages), steering, stream=stream, fit=fit)
    if not request.messages:
        raise InvalidRequest("There is no message to answer.")
    last = request.messages[-1]
    if last.role == "user" and not last.images and not last.text.strip():
        raise InvalidRequest("The prompt is empty: the last message holds neither text nor an image.")
    return _checked(request)


def completion_request(
    prompt: str, images: Sequence[ImageInput], parameters: dict[str, Any], *, stream: bool
) -> Request:
    """A raw prompt as a request.

    Raises:
        InvalidRequest: it is empty, its ``<image>`` tokens do not match the images, or a parameter is wrong.
        ImageError: something given as an image is none.
    """
    if not prompt.strip():
        raise InvalidRequest("The prompt is empty.")
    message = prompt_message(prompt, [ImageSource.of(image) for image in images])
    fit, steering = _fit_and_steering(parameters)
    return _checked(Request((message,), steering, stream=stream, completion=True, fit=fit))


def newest_images(request: Request, keep: int | None) -> Request:
    """The request with its newest images only; where an older one stood, a text says so.

    Nothing is read. Of several images in one message the later ones are newer.

    Args:
        request: what is asked.
        keep: how many images stay; None for all.

    Raises:
        InvalidRequest: a raw prompt has more. It is sent as it was written or not at all, since its
            ``<image>`` tokens are the caller's own.
    """
    older = 0 if keep is None else len(request.images) - keep
    if older <= 0:
        return request
    if request.completion:
        raise InvalidRequest(
            f"The prompt has {len(request.images)} images, and keep_images={keep} leaves images out of "
            "conversations only: take the older ones out of the prompt, with their <image> tokens."
        )
    images = itertools.count()

    def kept(part: Part) -> Part:
        return TextPart(LEFT_OUT) if isinstance(part, ImagePart) and next(images) < older else part

    messages = (
        replace(message, content=[kept(part) for part in message.parts]) if message.images else message
        for message in request.messages
    )
    told = f"{older} older images were" if older > 1 else "1 older image was"
    line = f"{told} left out (keep_images={keep}); those that stayed are numbered from 1"
    return replace(request, messages=tuple(messages), adjustments=(*request.adjustments, line))


def load_images(request: Request, image_roots: Sequence[Path] | None, described: Sequence[str]) -> Request:
    """The request with every image read, once, so that a retry or a fallback finds it again.

    Args:
        request: what is asked.
        image_roots: folders that files must lie in, or None.
        described: EXIF tags to tell the model as text before each image.

    Raises:
        ImageError: a file is missing, is no regular file, or lies elsewhere.
        InvalidRequest: a tag is unknown.
    """
    if not request.images:
        return request
    messages = (_load_message(message, image_roots, described) for message in request.messages)
    return replace(request, messages=tuple(messages))


def _load_message(message: Message, image_roots: Sequence[Path] | None, described: Sequence[str]) -> Message:
    if not message.images:
        return message
    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, ImagePart):
            loaded = part.source.load(image_roots)
            if described and (told := describe_metadata(loaded, described)):
                parts.append(TextPart(told))
            parts.append(replace(part, source=loaded))
        else:
            parts.append(part)
    return replace(message, content=parts)


def _fit_and_steering(parameters: dict[str, Any]) -> tuple[Fit | None, Parameters]:
    """What concerns the images, which no server hears of, and what steers generation."""
    steering = dict(parameters)
    fit = steering.pop("fit", None)
    if fit is not None and fit not in get_args(Fit):
        raise InvalidRequest(f"fit= is one of {', '.join(get_args(Fit))}, not {fit!r}.")
    return fit, Parameters.of(steering)


def _checked(request: Request) -> Request:
    if request.stream and (request.parameters.n or 1) > 1:
        raise InvalidRequest("n= asks for several answers, which cannot be streamed: leave stream or n out.")
    return request
