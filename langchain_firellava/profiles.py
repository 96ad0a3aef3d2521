"""Model cards as LangChain's model profiles, which agents and middleware read.

What a card does not say is absent from the profile: nobody publishes how long answers may be, so there is no
``max_output_tokens``. How many images a model takes, and how large, has no place in a profile: the card
tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from langchain_core.language_models import ModelProfile

    from firellava.models import ModelCard

__all__ = ["ProfileOfCard", "profile_of"]


class ProfileOfCard(dict[str, Any]):
    """A profile that follows from a card. Unlike one that a user gave, it changes with the model."""


def profile_of(card: ModelCard) -> ModelProfile:
    """What a card says, in LangChain's terms.

    Images may be given by URL to every model: where its server does not download them, they are downloaded
    here, within ``fetch_policy``.
    """
    able = card.capabilities
    profile = ProfileOfCard(
        name=card.name,
        text_inputs=True,
        image_inputs=True,
        image_url_inputs=True,
        pdf_inputs=False,
        audio_inputs=False,
        video_inputs=False,
        image_tool_message=able.tools and able.tool_images != "text",
        pdf_tool_message=False,
        text_outputs=True,
        image_outputs=False,
        audio_outputs=False,
        video_outputs=False,
        tool_calling=able.tools,
        tool_choice=able.tools,
        tool_call_streaming=able.tools,
        structured_output=able.json_schema,
    )
    if card.context_window is not None:
        profile["max_input_tokens"] = card.context_window
    return cast("ModelProfile", profile)
