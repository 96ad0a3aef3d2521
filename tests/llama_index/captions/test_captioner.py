"""Documents and nodes with images become nodes that are found by a caption and show the image."""

import asyncio
import base64
import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageDocument,
    ImageNode,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    TextNode,
)

from firellava import FetchPolicy
from firellava.errors import InvalidRequest
from llama_index_firellava import FireLLaVA
from llama_index_firellava.captions.captioner import ImageCaptioner
from llama_index_firellava.loading import load_images
from tests.api_server import ApiServer
from tests.api_server.plain_requests import encoded
from tests.core.images.picture_server import PictureServer, answer
from tests.llama_index.asking import COLOUR, PICTURE, RECEIPT
from tests.llama_index.billing import billed
from tests.llama_index.captioning import Caption, write_pictures


def image_nodes(nodes: Sequence[BaseNode]) -> list[ImageNode]:
    assert all(type(node) is ImageNode for node in nodes)
    return [node for node in nodes if isinstance(node, ImageNode)]


def test_a_document_becomes_a_node_with_its_caption(
    caption: Caption, captioner: ImageCaptioner, documents: list[ImageDocument], api_server: ApiServer
) -> None:
    nodes = image_nodes(caption(captioner, documents))
    for node, document, colour in zip(nodes, documents, ("#ff0000", "#00ff00", "#0000ff"), strict=True):
        assert colour in node.text
        assert (node.image_path, node.image_mimetype) == (document.image_path, "image/png")
        assert (node.image, node.image_url) == (None, None)
        assert node.relationships == {NodeRelationship.SOURCE: document.as_related_node_info()}
        assert node.metadata == document.metadata | {
            "caption": node.text,
            "model": "accounts/fireworks/models/firellava-13b",
            "backend": "fireworks:firellava-13b",
            "degraded": False,
            "usage": node.metadata["usage"],
            "cost_usd": node.metadata["cost_usd"],
        }
    usages = [json.loads(node.metadata["usage"]) for node in nodes]
    assert sum(usage["total_tokens"] for usage in usages) == billed(api_server).total
    assert {usage["image_tokens"] for usage in usages} == {576}
    assert nodes[0].metadata["cost_usd"] == f"{usages[0]['total_tokens'] * 2 / 10_000_000:.7f}"


def test_an_embedding_sees_the_caption_and_a_model_what_it_may_quote(
    captioner: ImageCaptioner, documents: list[ImageDocument]
) -> None:
    (node,) = image_nodes(captioner(documents[:1]))
    assert node.get_content(MetadataMode.EMBED) == node.text
    shown = node.get_metadata_str(MetadataMode.LLM).splitlines()
    assert sorted(shown) == [f"caption: {node.text}", "file_name: ff0000.png", "page_label: 1"]


def test_own_metadata_are_kept_and_seen_as_before(captioner: ImageCaptioner) -> None:
    document = ImageDocument(
        image=PICTURE,
        metadata={"album": "Rome", "owner": "somebody"},
        excluded_llm_metadata_keys=["owner"],
        excluded_embed_metadata_keys=["owner"],
    )
    (node,) = captioner([document])
    assert (node.metadata["album"], node.metadata["owner"]) == ("Rome", "somebody")
    assert node.get_content(MetadataMode.EMBED).startswith("album: Rome\n\nquestion")
    assert "somebody" not in node.get_content(MetadataMode.LLM)


BASE64 = base64.b64encode(PICTURE).decode()
GIVEN: dict[str, Callable[[str], BaseNode]] = {
    "ImageDocument, path": lambda path: ImageDocument(image_path=path),
    "ImageDocument, bytes": lambda path: ImageDocument(image=PICTURE),
    "ImageNode, path": lambda path: ImageNode(image_path=path),
    "ImageNode, base64": lambda path: ImageNode(image=BASE64),
    "ImageNode, data URL": lambda path: ImageNode(image_url=f"data:image/png;base64,{BASE64}"),
    "Node": lambda path: Node(image_resource=MediaResource(path=Path(path))),
    "Document": lambda path: Document(image_resource=MediaResource(data=PICTURE)),
}


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_every_node_that_holds_an_image_is_captioned_and_still_holds_it(
    caption: Caption,
    captioner: ImageCaptioner,
    api_server: ApiServer,
    picture: Path,
    given: Callable[[str], BaseNode],
) -> None:
    (node,) = image_nodes(caption(captioner, [given(str(picture))]))
    assert COLOUR in node.text
    assert node.image_mimetype == "image/png"
    captioner.llm.complete("What is this?", image_documents=[node])
    assert [image.mean for image in api_server.requests[1].images] == [COLOUR]


@pytest.mark.parametrize(
    "given",
    [
        lambda path: ImageDocument(image_path=path),
        lambda path: ImageNode(image_path=path),
        lambda path: Node(image_resource=MediaResource(path=Path(path))),
    ],
    ids=["ImageDocument", "ImageNode", "Node"],
)
def test_a_relative_path_is_found_from_another_folder(
    captioner: ImageCaptioner,
    picture: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: Callable[[str], BaseNode],
) -> None:
    monkeypatch.chdir(picture.parent)
    (node,) = image_nodes(captioner([given(picture.name)]))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert COLOUR in captioner.llm.complete("What is this?", image_documents=[node]).text


def test_one_document_is_no_list_of_documents(
    caption: Caption, captioner: ImageCaptioner, documents: list[ImageDocument]
) -> None:
    with pytest.raises(InvalidRequest, match="a list of nodes, not one ImageDocument"):
        caption(captioner, documents[0])  # type: ignore[arg-type]  # the mistake under test


def test_an_image_on_the_web_is_downloaded_under_the_policy_of_the_llm(
    caption: Caption, llm_for: Callable[..., FireLLaVA]
) -> None:
    with PictureServer() as server:
        url = f"http://127.0.0.1:{server.port}/picture.png"
        server.answers["/picture.png"] = answer(PICTURE)
        allowed = llm_for(fetch_policy=FetchPolicy(allow_private=True, allow_http=True))
        (node,) = image_nodes(caption(ImageCaptioner(llm=allowed), [ImageNode(image_url=url)]))
        assert COLOUR in node.text
        assert node.image_url == url
        assert caption(ImageCaptioner(llm=llm_for()), [ImageNode(image_url=url)]) == []


def test_other_nodes_pass_untouched_in_their_places(
    caption: Caption, captioner: ImageCaptioner, documents: list[ImageDocument], api_server: ApiServer
) -> None:
    text, empty, plain = TextNode(text="A text."), ImageNode(text="No image."), Document(text="A document.")
    misleading = TextNode(text="A path.", metadata={"file_path": str(RECEIPT), "image_path": str(RECEIPT)})
    nodes = caption(captioner, [text, documents[0], empty, plain, misleading, documents[1]])
    assert [nodes[place] for place in (0, 2, 3, 4)] == [text, empty, plain, misleading]
    assert all(nodes[place] is node for place, node in ((0, text), (2, empty), (3, plain), (4, misleading)))
    assert len(api_server.requests) == 2
    assert caption(captioner, [text]) == [text]
    assert caption(captioner, []) == []


def test_what_was_given_is_not_changed(captioner: ImageCaptioner, documents: list[ImageDocument]) -> None:
    before = copy.deepcopy(documents)
    captioner(documents)
    assert documents == before


def test_ids_are_the_same_in_every_run(llm: FireLLaVA, documents: list[ImageDocument]) -> None:
    ids = [[node.node_id for node in ImageCaptioner(llm=llm)(documents)] for _ in range(2)]
    assert ids[0] == ids[1]
    assert len({*ids[0], *(document.doc_id for document in documents)}) == 6


def test_a_node_stays_the_node_it_was(captioner: ImageCaptioner, picture: Path) -> None:
    source = Document(text="A report with pictures.")
    before, after = TextNode(text="before"), TextNode(text="after")
    relationships = {
        NodeRelationship.SOURCE: source.as_related_node_info(),
        NodeRelationship.PREVIOUS: before.as_related_node_info(),
        NodeRelationship.NEXT: after.as_related_node_info(),
    }
    given = ImageNode(image_path=str(picture), relationships=relationships)
    alone = ImageNode(image_path=str(picture))
    node, other = captioner([given, alone])
    assert (node.node_id, node.relationships) == (given.node_id, relationships)
    assert (other.node_id, other.ref_doc_id) == (alone.node_id, alone.node_id)


def test_a_text_that_came_with_the_image_stands_before_the_caption(
    captioner: ImageCaptioner, picture: Path
) -> None:
    given = ImageDocument(image_path=str(picture), text="The old harbour.")
    (node,) = image_nodes(captioner([given]))
    assert node.text == f"The old harbour.\n\n{node.metadata['caption']}"
    (again,) = image_nodes(captioner([node]))
    assert again.text == node.text


def test_an_image_is_asked_about_once(
    caption: Caption, captioner: ImageCaptioner, tmp_path: Path, api_server: ApiServer
) -> None:
    red, _ = write_pictures(tmp_path, ["#ff0000", "#00ff00"])
    twin = tmp_path / "twin.png"
    twin.write_bytes(red.read_bytes())
    nodes = caption(captioner, load_images(tmp_path))
    assert len(api_server.requests) == 2
    texts = {node.metadata["file_name"]: node.metadata["caption"] for node in nodes}
    assert texts["twin.png"] == texts["ff0000.png"] != texts["00ff00.png"]
    assert len({node.node_id for node in nodes}) == 3
    write_pictures(tmp_path, ["#0000ff"])
    caption(captioner, load_images(tmp_path))
    assert len(api_server.requests) == 3


def test_images_that_a_pipeline_cannot_tell_apart_are_warned_of(
    captioner: ImageCaptioner, documents: list[ImageDocument], caplog: pytest.LogCaptureFixture
) -> None:
    captioner(documents)
    assert caplog.records == []
    captioner([ImageDocument(image=PICTURE, metadata={"album": "Rome"}), *documents])
    assert "1 of 4 images" in caplog.text


def test_the_same_in_a_running_event_loop(captioner: ImageCaptioner, documents: list[ImageDocument]) -> None:
    async def in_notebook() -> list[BaseNode]:
        return captioner(documents)

    assert len(asyncio.run(in_notebook())) == 3


def test_tiff_and_bmp_are_captioned_as_what_they_are(captioner: ImageCaptioner, tmp_path: Path) -> None:
    for name, image_format in (("a.TIF", "TIFF"), ("b", "BMP"), ("c.jpg", "PNG")):
        (tmp_path / name).write_bytes(encoded(image_format, colour=COLOUR))
    nodes = image_nodes(captioner(load_images(tmp_path)))
    assert [node.image_mimetype for node in nodes] == ["image/tiff", "image/bmp", "image/png"]
