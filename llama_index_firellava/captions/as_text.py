"""Captions of retrieved images, for engines that show the model their pixels alone: `CaptionsAsText`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import ImageNode, NodeWithScore, TextNode

if TYPE_CHECKING:
    from llama_index.core.schema import QueryBundle

__all__ = ["CaptionsAsText"]


class CaptionsAsText(BaseNodePostprocessor):
    """Puts the caption of every retrieved image beside it, as a text of its own.

        engine = SimpleMultiModalQueryEngine(
            retriever, multi_modal_llm=llm, node_postprocessors=[CaptionsAsText()]
        )

    For the engines that take ``multi_modal_llm=``: they find an image by its caption, and then drop the text
    of its node and its metadata. Engines with ``multimodal=True`` show metadata and need this only for nodes
    whose caption is not among them. A caption is the text of the node, or its metadata's ``caption``.
    """

    @classmethod
    def class_name(cls) -> str:
        """The name in serialised form."""
        return "CaptionsAsText"

    def _postprocess_nodes(
        self,
        nodes: list[NodeWithScore],
        query_bundle: QueryBundle | None = None,  # noqa: ARG002 - LlamaIndex's signature
    ) -> list[NodeWithScore]:
        told: list[NodeWithScore] = []
        images = 0
        for scored in nodes:
            if isinstance(scored.node, ImageNode):
                images += 1
                if caption := scored.node.text or scored.node.metadata.get("caption"):
                    text = TextNode(text=f"Image {images}: {caption}")
                    told.append(NodeWithScore(node=text, score=scored.score))
            told.append(scored)
        return told
