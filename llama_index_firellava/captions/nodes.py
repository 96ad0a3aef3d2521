"""Nodes with captions, made of documents and nodes with images."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from llama_index.core.schema import Document, ImageNode, Node, NodeRelationship, TextNode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from llama_index.core.schema import BaseNode

    from firellava.captions import Caption

__all__ = ["caption_node", "holds_image"]

_IDS: Final = uuid.UUID("8fd0c896-5d53-405d-a017-c783fec6551d")
_UNKNOWN: Final = "unknown"
# Worth quoting, and noise in a search.
_PLACE: Final = ("file_name", "page_label")


def holds_image(node: BaseNode) -> bool:
    """Whether there is an image in a node. Paths that merely stand in its metadata are none."""
    if isinstance(node, ImageNode):
        return bool(node.image or node.image_path or node.image_url)
    resource = node.image_resource if isinstance(node, Node) else None
    return resource is not None and bool(resource.data or resource.path or resource.url)


def caption_node(node: BaseNode, caption: Caption) -> ImageNode:
    """The node that is found by the caption, and shows the image.

    A document becomes a node whose id follows from the document's, so that it takes its own place when the
    document is ingested again. A node stays the node it was, with its id and its relationships. A text that
    came with the image stands before the caption.

    Args:
        node: a document or node that holds an image.
        caption: its caption.
    """
    described = _described(caption)
    unshown = [name for name in described if name != "caption"]
    metadata = {"page_label": str(caption.page)} | node.metadata | described
    is_document = isinstance(node, Document)
    relationships = {} if is_document else dict(node.relationships)
    relationships[NodeRelationship.SOURCE] = node.source_node or node.as_related_node_info()
    own_text = _own_text(node)
    return ImageNode(
        **_image_fields(node),
        image_mimetype=caption.mime_type,
        id_=str(uuid.uuid5(_IDS, node.node_id)) if is_document else node.node_id,
        text=f"{own_text}\n\n{caption.text}" if own_text else caption.text,
        metadata=metadata,
        excluded_embed_metadata_keys=_joined(node.excluded_embed_metadata_keys, _PLACE, described),
        excluded_llm_metadata_keys=_joined(node.excluded_llm_metadata_keys, unshown),
        relationships=relationships,
        metadata_template=node.metadata_template,
        metadata_separator=node.metadata_separator,
    )


def _described(caption: Caption) -> dict[str, str | int]:
    """What a caption says, as metadata.

    Stores take neither nested values nor, in typed columns, a number where there was none before: so every
    value is of one type, and the word "unknown" stands where nobody said.
    """
    width, height = caption.size
    usage = None if caption.usage is None else json.dumps(asdict(caption.usage))
    return {
        # LlamaIndex shows a model an image node's metadata and image, and not its text.
        "caption": caption.text,
        "content_hash": caption.content_hash,
        "image_width": width,
        "image_height": height,
        "model": caption.model,
        "backend": caption.backend,
        "degraded": caption.degraded,
        "usage": usage or _UNKNOWN,
        "cost_usd": _UNKNOWN if caption.cost_usd is None else f"{caption.cost_usd:f}",
    }


def _image_fields(node: BaseNode) -> dict[str, Any]:
    if isinstance(node, ImageNode):
        return {"image": node.image, "image_path": _absolute(node.image_path), "image_url": node.image_url}
    resource = node.image_resource if isinstance(node, Node) else None
    if resource is None:
        raise ValueError("The node holds no image.")
    return {
        "image": None if resource.data is None else resource.data.decode(),
        "image_path": _absolute(resource.path),
        "image_url": None if resource.url is None else str(resource.url),
    }


def _absolute(path: str | Path | None) -> str | None:
    """The path as it is found from wherever the node is loaded again."""
    return str(Path(path).absolute()) if path else None


def _own_text(node: BaseNode) -> str:
    """The text that came with the image, without the caption of an earlier run."""
    if isinstance(node, TextNode):
        text = node.text
    else:
        resource = node.text_resource if isinstance(node, Node) else None
        text = "" if resource is None else resource.text or ""
    return text.removesuffix(str(node.metadata.get("caption", ""))).rstrip()


def _joined(*keys: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(key for some in keys for key in some))
