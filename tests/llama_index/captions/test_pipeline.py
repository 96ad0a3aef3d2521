"""Captions in LlamaIndex's ingestion: caches, docstores, worker processes, indexes."""

import asyncio
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.ingestion import DocstoreStrategy, IngestionCache, IngestionPipeline
from llama_index.core.schema import BaseNode, ImageNode
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.storage.kvstore import SimpleKVStore
from llama_index.core.vector_stores import SimpleVectorStore

from firellava import OfflineReader
from firellava.captions import DiskCaptionCache, MemoryCaptionCache
from firellava.errors import ConfigurationError, ServerFailed
from llama_index_firellava import FireLLaVA
from llama_index_firellava.captions.captioner import ImageCaptioner
from llama_index_firellava.loading import load_images
from tests.api_server import ApiServer, Fault
from tests.llama_index.captioning import WordEmbedding, write_pictures

COLOURS = [f"#{number:02x}{number // 2:02x}40" for number in range(200)]


class TwoDatabases:
    """A cache of the user's own."""

    def __init__(self, folder: Path) -> None:
        self.old, self.new = (DiskCaptionCache(folder / name) for name in ("old.db", "new.db"))

    def get(self, key: str) -> Any:
        return self.new.get(key) or self.old.get(key)

    def put(self, key: str, caption: Any) -> None:
        self.new.put(key, caption)


CACHES: dict[str, Callable[[Path], Any]] = {
    "memory": lambda folder: MemoryCaptionCache(),
    "path": lambda folder: folder / "captions.db",
    "text": lambda folder: str(folder / "captions.db"),
    "key-value store": lambda folder: SimpleKVStore(),
    "own": TwoDatabases,
}


@pytest.mark.parametrize("cache", CACHES)
def test_captions_are_kept_wherever_the_user_says(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path, cache: str
) -> None:
    kept = CACHES[cache](tmp_path)
    for images in (3, 3, 4):
        write_pictures(tmp_path / "pictures", COLOURS[:images])
        nodes = ImageCaptioner(llm=llm, cache=kept)(load_images(tmp_path / "pictures"))
        assert len({node.get_content() for node in nodes}) == images
        assert len(api_server.requests) == images


def test_without_a_cache_every_run_asks_again(llm: FireLLaVA, api_server: ApiServer, tmp_path: Path) -> None:
    captioner = ImageCaptioner(llm=llm, cache=None)
    for asked in (1, 2):
        captioner(load_images(write_pictures(tmp_path, COLOURS[:1])))
        assert len(api_server.requests) == asked


def test_a_key_value_store_keeps_captions_among_other_things_and_through_files(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path
) -> None:
    store = SimpleKVStore()
    cache = IngestionCache(cache=store)
    documents = load_images(write_pictures(tmp_path / "pictures", COLOURS[:2]))
    pipeline = IngestionPipeline(transformations=[ImageCaptioner(llm=llm, cache=store)], cache=cache)
    pipeline.run(documents=documents)
    store.persist(str(tmp_path / "store.json"))
    again = SimpleKVStore.from_persist_path(str(tmp_path / "store.json"))
    assert len(ImageCaptioner(llm=llm, cache=again)(documents)) == 2
    assert len(api_server.requests) == 2


def test_what_is_no_caption_in_a_store_is_an_error_and_costs_nothing(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path
) -> None:
    store = SimpleKVStore()
    captioner = ImageCaptioner(llm=llm, cache=store)
    documents = load_images(write_pictures(tmp_path, COLOURS[:1]))
    captioner(documents)
    (key,) = store.get_all(collection="firellava_captions")
    store.put(key, {"text": 5}, collection="firellava_captions")
    with pytest.raises(ConfigurationError, match="none"):
        captioner(documents)
    assert len(api_server.requests) == 1


async def run(pipeline: IngestionPipeline, way: str, **kwargs: Any) -> list[BaseNode]:
    return list(await pipeline.arun(**kwargs) if way == "arun" else pipeline.run(**kwargs))


@pytest.mark.parametrize("way", ["run", "arun"])
async def test_one_new_image_among_two_hundred_costs_one_call(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path, way: str
) -> None:
    folder, kept = tmp_path / "pictures", tmp_path / "kept"
    write_pictures(folder, COLOURS)

    def pipeline() -> IngestionPipeline:
        captioner = ImageCaptioner(llm=llm, cache=tmp_path / "captions.db")
        return IngestionPipeline(transformations=[captioner, WordEmbedding()])

    first = pipeline()
    nodes = await run(first, way, documents=load_images(folder))
    assert (len(nodes), len(api_server.requests)) == (200, 200)
    first.persist(str(kept))

    unchanged = pipeline()
    unchanged.load(str(kept))
    again = await run(unchanged, way, documents=load_images(folder))
    assert [node.node_id for node in again] == [node.node_id for node in nodes]
    assert all(isinstance(node, ImageNode) and node.image_path for node in again)
    assert len(api_server.requests) == 200

    write_pictures(folder, ["#ffffff"])
    one_more = pipeline()
    one_more.load(str(kept))
    assert len(await run(one_more, way, documents=load_images(folder))) == 201
    assert len(api_server.requests) == 201


def test_worker_processes_share_a_cache_in_a_file(
    api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
    llm = FireLLaVA(base_url=api_server.base_url)
    write_pictures(tmp_path / "pictures", COLOURS)

    def pipeline() -> IngestionPipeline:
        return IngestionPipeline(transformations=[ImageCaptioner(llm=llm, cache=tmp_path / "captions.db")])

    documents = load_images(tmp_path / "pictures")
    nodes = pipeline().run(documents=documents, num_workers=2)
    assert [node.ref_doc_id for node in nodes] == [document.doc_id for document in documents]
    assert len(api_server.requests) == 200
    write_pictures(tmp_path / "pictures", ["#ffffff"])
    assert len(pipeline().run(documents=load_images(tmp_path / "pictures"), num_workers=2)) == 201
    assert len(api_server.requests) == 201


def test_a_key_given_in_code_fails_in_worker_processes_and_nobody_stands_in(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer, tmp_path: Path
) -> None:
    captioner = ImageCaptioner(llm=llm_for(fallback=OfflineReader()), cache=tmp_path / "captions.db")
    pipeline = IngestionPipeline(transformations=[captioner])
    documents = load_images(write_pictures(tmp_path / "pictures", COLOURS[:4]))
    with pytest.raises(ConfigurationError, match=r"stayed behind.*FIREWORKS_API_KEY"):
        pipeline.run(documents=documents, num_workers=2)
    assert api_server.requests == []
    assert len(DiskCaptionCache(tmp_path / "captions.db")) == 0


def test_a_copy_for_another_process_knows_the_captions_made_so_far(
    api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIREWORKS_API_KEY", api_server.key)
    documents = load_images(write_pictures(tmp_path, COLOURS[:3]))
    for cache in (MemoryCaptionCache(), SimpleKVStore()):
        captioner = ImageCaptioner(llm=FireLLaVA(base_url=api_server.base_url), cache=cache)
        nodes = captioner(documents)
        asked = len(api_server.requests)
        assert pickle.loads(pickle.dumps(captioner))(documents) == nodes  # noqa: S301 - our own pickle
        assert len(api_server.requests) == asked


@pytest.mark.parametrize("way", ["run", "arun"])
async def test_a_docstore_takes_in_what_is_new_and_puts_what_changed_in_its_place(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path, way: str
) -> None:
    folder = tmp_path / "pictures"
    red, blue = write_pictures(folder, ["#ff0000", "#0000ff"])
    store = SimpleVectorStore()
    pipeline = IngestionPipeline(
        transformations=[ImageCaptioner(llm=llm), WordEmbedding()],
        docstore=SimpleDocumentStore(),
        docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
        vector_store=store,
    )
    before = await run(pipeline, way, documents=load_images(folder))
    assert await run(pipeline, way, documents=load_images(folder)) == []
    red.write_bytes(write_pictures(tmp_path / "other", ["#00ff00"])[0].read_bytes())
    (changed,) = await run(pipeline, way, documents=load_images(folder))
    assert changed.node_id in {node.node_id for node in before}
    assert "#00ff00" in changed.get_content()
    assert set(store.data.embedding_dict) == {node.node_id for node in before}
    blue.unlink()
    await run(pipeline, way, documents=load_images(folder))
    assert set(store.data.embedding_dict) == {changed.node_id}
    assert len(api_server.requests) == 3


def test_a_run_with_a_gap_is_done_again_by_nothing_but_the_gap(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer, tmp_path: Path
) -> None:
    pipeline = IngestionPipeline(
        transformations=[ImageCaptioner(llm=llm_for(max_retries=0), concurrency=1), WordEmbedding()],
        docstore=SimpleDocumentStore(),
        vector_store=SimpleVectorStore(),
    )
    documents = load_images(write_pictures(tmp_path, COLOURS[:10]))
    api_server.fail_next(*[Fault()] * 4, Fault(status=500))
    with pytest.raises(ServerFailed):
        pipeline.run(documents=documents)
    assert len(pipeline.run(documents=documents)) == 10
    assert len(api_server.requests) == 11


@pytest.mark.engine("rapidocr")
def test_what_stood_in_is_described_once_its_document_is_out_of_the_docstore(
    llm_for: Callable[..., FireLLaVA], api_server: ApiServer, receipt: Path
) -> None:
    api_server.fail_next(Fault(status=503))
    llm, docstore = llm_for(fallback=OfflineReader(), max_retries=0), SimpleDocumentStore()
    pipeline = IngestionPipeline(
        transformations=[ImageCaptioner(llm=llm)],
        docstore=docstore,
        docstore_strategy=DocstoreStrategy.DUPLICATES_ONLY,
    )
    documents = load_images(receipt)
    assert [node.metadata["degraded"] for node in pipeline.run(documents=documents)] == [True]
    assert pipeline.run(documents=documents) == []
    docstore.delete_document(documents[0].doc_id)
    assert [node.metadata["degraded"] for node in pipeline.run(documents=documents)] == [False]


def test_an_index_captions_what_it_is_made_of(llm: FireLLaVA, tmp_path: Path) -> None:
    documents = load_images(write_pictures(tmp_path, ["#ff0000", "#00ff00", "#0000ff"]))
    index = VectorStoreIndex.from_documents(
        documents,
        transformations=[ImageCaptioner(llm=llm)],
        embed_model=WordEmbedding(),
    )
    (found,) = index.as_retriever(similarity_top_k=1).retrieve("mean #00ff00")
    assert isinstance(found.node, ImageNode)
    assert found.node.metadata["file_name"] == "00ff00.png"


def test_a_pipeline_in_a_notebook_captions_too(llm: FireLLaVA, tmp_path: Path) -> None:
    pipeline = IngestionPipeline(transformations=[ImageCaptioner(llm=llm)])
    documents = load_images(write_pictures(tmp_path, COLOURS[:2]))

    async def cell() -> int:
        return len(pipeline.run(documents=documents))

    assert asyncio.run(cell()) == 2
