"""What has no caption: bad images, backends that fail, answers that are no caption."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.schema import (
    BaseNode,
    ImageDocument,
    ImageNode,
)

from firellava import Budget, OfflineReader, OpenAICompatibleBackend, track_cost
from firellava.errors import (
    AuthenticationFailed,
    BudgetExceeded,
    FireLLaVAError,
    ForbiddenPath,
    ServerFailed,
    UnreadableImage,
)
from llama_index_firellava import FireLLaVA
from llama_index_firellava.captions.captioner import ImageCaptioner
from llama_index_firellava.loading import load_images
from tests.api_server import ApiServer, Fault
from tests.llama_index.asking import PICTURE, RECEIPT
from tests.llama_index.captioning import Caption


def damaged(folder: Path) -> ImageDocument:
    path = folder / "damaged.png"
    path.write_bytes(PICTURE[:-40])
    return load_images(path)[0]


def missing(folder: Path) -> ImageNode:
    return ImageNode(image_path=str(folder / "missing.png"), text="A picture.")


def unreachable(folder: Path) -> ImageNode:
    return ImageNode(image_url="ftp://example.com/picture.png", text="A picture.")


@pytest.mark.parametrize("bad", [damaged, missing, unreachable])
def test_a_bad_image_is_reported_and_the_others_go_on(
    caption: Caption,
    llm: FireLLaVA,
    documents: list[ImageDocument],
    tmp_path: Path,
    bad: Callable[[Path], BaseNode],
    caplog: pytest.LogCaptureFixture,
) -> None:
    reported: list[tuple[BaseNode, FireLLaVAError]] = []
    captioner = ImageCaptioner(llm=llm, on_failure=lambda node, error: reported.append((node, error)))
    given = bad(tmp_path)
    nodes = caption(captioner, [documents[0], given, documents[1], documents[2]])
    assert [node.ref_doc_id for node in nodes] == [document.doc_id for document in documents]
    ((node, error),) = reported
    assert node is given
    assert isinstance(error, UnreadableImage)
    (warning,) = (record for record in caplog.records if record.levelno >= logging.WARNING)
    assert given.node_id in warning.getMessage()
    assert str(error) in warning.getMessage()


def test_a_request_the_server_refuses_for_one_image_leaves_that_one_out(
    captioner: ImageCaptioner, documents: list[ImageDocument], api_server: ApiServer
) -> None:
    api_server.fail_next(Fault(status=400, message="cannot process this image"))
    captioner.concurrency = 1
    assert [node.metadata["file_name"] for node in captioner(documents)] == ["00ff00.png", "0000ff.png"]


def test_a_backend_that_fails_for_one_image_leaves_no_part_for_the_whole(
    caption: Caption,
    llm_for: Callable[..., FireLLaVA],
    documents: list[ImageDocument],
    api_server: ApiServer,
) -> None:
    captioner = ImageCaptioner(llm=llm_for(max_retries=0), concurrency=1)
    api_server.fail_next(Fault(), Fault(status=500))
    with pytest.raises(ServerFailed) as failed:
        caption(captioner, documents)
    assert "1 of 3 images" in failed.value.__notes__[0]
    assert documents[1].doc_id in failed.value.__notes__[0]
    assert len(api_server.requests) == 3
    assert len(caption(captioner, documents)) == 3
    assert len(api_server.requests) == 4


def test_whoever_wants_can_leave_those_out_too(
    llm_for: Callable[..., FireLLaVA], documents: list[ImageDocument], api_server: ApiServer
) -> None:
    captioner = ImageCaptioner(llm=llm_for(max_retries=0), concurrency=1, skip_on=[FireLLaVAError])
    api_server.fail_next(Fault(), Fault(status=500))
    assert len(captioner(documents)) == 2


def test_what_concerns_every_image_ends_the_run(
    caption: Caption,
    llm_for: Callable[..., FireLLaVA],
    documents: list[ImageDocument],
    api_server: ApiServer,
    tmp_path: Path,
) -> None:
    with pytest.raises(AuthenticationFailed):
        caption(ImageCaptioner(llm=llm_for(api_key="fw_wrong"), concurrency=1), documents)
    assert len(api_server.requests) == 1
    with pytest.raises(BudgetExceeded):
        caption(ImageCaptioner(llm=llm_for(budget=Budget(calls=2)), concurrency=1), documents)
    assert len(api_server.requests) == 3
    roots = [tmp_path / "elsewhere"]
    refused: list[FireLLaVAError] = []
    outside = ImageCaptioner(
        llm=llm_for(image_roots=roots), on_failure=lambda _, error: refused.append(error)
    )
    assert caption(outside, documents) == []
    assert {type(error) for error in refused} == {ForbiddenPath}


def test_a_fallback_captions_what_the_api_cannot(
    caption: Caption,
    llm_for: Callable[..., FireLLaVA],
    documents: list[ImageDocument],
    api_server: ApiServer,
    local: OpenAICompatibleBackend,
) -> None:
    captioner = ImageCaptioner(llm=llm_for(fallback=local, max_retries=0), concurrency=1)
    api_server.fail_next(Fault(), Fault(status=503))
    nodes = caption(captioner, documents)
    assert [node.metadata["backend"] == local.label for node in nodes] == [False, True, False]
    assert not any(node.metadata["degraded"] for node in nodes)


@pytest.mark.engine("rapidocr")
def test_a_degraded_caption_says_so_and_is_found_again_by_nobody(
    llm_for: Callable[..., FireLLaVA],
    api_server: ApiServer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    llm = llm_for(fallback=OfflineReader(), max_retries=0)
    captioner = ImageCaptioner(llm=llm, cache=tmp_path / "captions.db")
    receipt = load_images(RECEIPT)
    api_server.fail_next(Fault(status=503))
    (node,) = captioner(receipt)
    assert node.metadata["degraded"] is True
    assert "degraded" in caplog.text
    (better,) = captioner(receipt)
    assert better.metadata["degraded"] is False
    hashes = {get_transformation_hash(receipt, captioner) for _ in range(2)}
    assert len(hashes) == 2


@pytest.mark.engine("rapidocr")
def test_a_degraded_caption_is_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    llm = FireLLaVA(backend=OfflineReader())
    captioner = ImageCaptioner(llm=llm, cache=tmp_path / "captions.db", keep_degraded=True)
    receipt = load_images(RECEIPT)
    (node,) = captioner(receipt)
    with track_cost() as asked:
        assert captioner(receipt) == [node]
    assert asked.totals.calls == 0
    assert (node.metadata["usage"], node.metadata["cost_usd"]) == ("unknown", "0")
    assert len({get_transformation_hash(receipt, captioner) for _ in range(2)}) == 1
