"""An index of captions is kept, loaded again, and the model still sees the images that are found."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import ImageNode
from llama_index.core.vector_stores.types import BasePydanticVectorStore
from llama_index.vector_stores.lancedb import LanceDBVectorStore
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient

from llama_index_firellava import FireLLaVA
from llama_index_firellava.captions.captioner import ImageCaptioner
from llama_index_firellava.loading import load_images
from tests.api_server import ApiServer, UsagePlacement
from tests.llama_index.captioning import WordEmbedding, write_pictures

COLOURS = ["#ff0000", "#00ff00", "#0000ff"]


@contextmanager
def qdrant(folder: Path) -> Iterator[BasePydanticVectorStore]:
    with closing(QdrantClient(path=str(folder))) as client:
        yield QdrantVectorStore("captions", client=client)


@contextmanager
def lancedb(folder: Path) -> Iterator[BasePydanticVectorStore]:
    yield LanceDBVectorStore(uri=str(folder), table_name="captions")


@contextmanager
def kept_in_files(folder: Path) -> Iterator[StorageContext]:
    """LlamaIndex's own stores, read from the folder and written to it."""
    exists = folder.exists()
    storage = (
        StorageContext.from_defaults(persist_dir=str(folder)) if exists else StorageContext.from_defaults()
    )
    yield storage
    storage.persist(str(folder))


@contextmanager
def kept_in(store: Callable[[Path], Any], folder: Path) -> Iterator[StorageContext]:
    with store(folder) as vector_store:
        yield StorageContext.from_defaults(vector_store=vector_store)


STORES: dict[str, Callable[[Path], Any]] = {
    "simple": kept_in_files,
    "qdrant": lambda folder: kept_in(qdrant, folder),
    "lancedb": lambda folder: kept_in(lancedb, folder),
}


def loaded(storage: StorageContext, name: str) -> VectorStoreIndex:
    if name == "simple":
        index = load_index_from_storage(storage, embed_model=WordEmbedding())
        assert isinstance(index, VectorStoreIndex)
        return index
    return VectorStoreIndex.from_vector_store(storage.vector_store, embed_model=WordEmbedding())


# LanceDB's store asks for the tables in a way that LanceDB itself gives up.
@pytest.mark.filterwarnings(r"ignore:table_names\(\) is deprecated:DeprecationWarning")
# Qdrant's store makes an index that only a server of Qdrant has a use for.
@pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")
@pytest.mark.parametrize("name", STORES)
def test_a_loaded_index_finds_the_caption_and_shows_the_image(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path, name: str
) -> None:
    store, kept = STORES[name], tmp_path / "kept"
    nodes = ImageCaptioner(llm=llm)(load_images(write_pictures(tmp_path / "pictures", COLOURS)))
    with store(kept) as storage:
        VectorStoreIndex(nodes, storage_context=storage, embed_model=WordEmbedding())
    with store(kept) as storage:
        retriever = loaded(storage, name).as_retriever(similarity_top_k=1)
        engine = RetrieverQueryEngine.from_args(retriever, llm=llm, multimodal=True)
        response = engine.query("What has mean #00ff00?")
    (found,) = response.source_nodes
    assert isinstance(found.node, ImageNode)
    (stored,) = (node for node in nodes if node.node_id == found.node_id)
    assert isinstance(stored, ImageNode)
    assert (found.node.text, found.node.image_path, found.node.image_mimetype, found.node.metadata) == (
        stored.text,
        stored.image_path,
        stored.image_mimetype,
        stored.metadata,
    )
    assert found.node.ref_doc_id == stored.ref_doc_id
    assert [image.mean for image in api_server.requests[-1].images] == ["#00ff00"]
    assert stored.metadata["caption"] in api_server.requests[-1].body.decode().replace('\\"', '"')


@pytest.mark.filterwarnings(r"ignore:table_names\(\) is deprecated:DeprecationWarning")  # as above
def test_a_store_with_typed_columns_takes_what_is_known_after_what_is_not(
    llm: FireLLaVA, api_server: ApiServer, tmp_path: Path
) -> None:
    store = LanceDBVectorStore(uri=str(tmp_path / "kept"), table_name="captions")
    index = VectorStoreIndex.from_vector_store(store, embed_model=WordEmbedding())
    for colour, placement in zip(COLOURS, (UsagePlacement.NEVER, UsagePlacement.FINISH_CHUNK), strict=False):
        api_server.usage = placement
        index.insert_nodes(ImageCaptioner(llm=llm)(load_images(write_pictures(tmp_path / colour, [colour]))))
    assert [node.metadata["cost_usd"] == "unknown" for node in store.get_nodes()] == [True, False]
