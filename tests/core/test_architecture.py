"""Who may import whom, and which names are promised to users."""

import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CORE = {"httpx", "httpcore", "orjson", "PIL", "pydantic"}
# The longest prefix decides. Whatever is not listed here may not be imported there.
MAY_IMPORT = {
    "firellava": CORE,
    "firellava.backends.llama_cpp": {"pydantic", "xllamacpp"},
    "firellava.backends.transformers": {"pydantic"},
    "firellava.backends.transformers_engine": {"PIL", "torch", "transformers"},
    "firellava.cli": {"orjson", "rich", "typer"},
    "firellava.costs": {"orjson", "pydantic"},
    "firellava.costs.price_list": {"genai_prices"},
    "firellava.images": {"PIL", "orjson"},
    "firellava.images.heif": {"PIL", "pillow_heif"},
    "firellava.images.pdf": {"PIL", "pypdfium2"},
    "firellava.images.fetch": {"httpcore", "httpx"},
    "firellava.images.fetch_policy": {"httpx"},
    "firellava.reader": {"PIL", "numpy", "rapidocr"},
    "firellava.routing": set(),
    "firellava.telemetry": {"opentelemetry"},
    "firellava.wire": {"orjson"},
    "langchain_firellava": {"firellava", "langchain_core", "PIL", "pydantic", "httpx"},
    "langchain_firellava.documents.blob_pages": {"firellava", "langchain_core", "numpy"},
    "langchain_firellava.documents.progress": {"firellava", "tqdm"},
    "langchain_firellava.middleware": {"firellava", "langchain", "langchain_core", "langgraph"},
    "llama_index_firellava": {"firellava", "llama_index", "PIL", "pydantic", "pydantic_core", "httpx"},
}

PUBLIC = {
    "firellava": """
        Attempt Backend Budget CallDetails CallHook Choice Estimate FetchPolicy FireLLaVAError
        FireworksBackend ImagePart ImageReferences ImageSource Ledger LlamaCppBackend Message ModelCard
        OfflineReader OpenAICompatibleBackend Parameters PreparedImage Prices Reply ReplyChunk
        SeveralImagesWarning TextPart TextTooSmallWarning ToolCall TransformersBackend Usage
        VisionClient __version__ discover_local estimate model_card prepare_image track_cost
    """,
    "langchain_firellava": """
        BudgetMiddleware ChatFireLLaVA FailedImage FireLLaVACompletions FireLLaVACostHandler
        ImageCaptionLoader ImageCaptionParser ImageNotShownWarning ImageRedactionMiddleware
        NewestImagesMiddleware VisionTool documents_to_message get_firellava_callback image_block
        redact_images
    """,
    "llama_index_firellava": """
        CaptionsAsText CountedImageBlock FireLLaVA FireLLaVACostHandler ImageCaptioner SchemaParser
        StructureMissed VisionToolSpec chat_memory chat_prompt_helper load_images text_tokenizer track_cost
    """,
}


def modules() -> Iterator[tuple[str, Path]]:
    for package in PUBLIC:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            yield name, path


def imported_by(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found.add(str(node.module))
    return found


@pytest.mark.parametrize(("name", "path"), [pytest.param(*module, id=module[0]) for module in modules()])
def test_a_module_imports_only_what_its_package_may(name: str, path: Path) -> None:
    package = name.partition(".")[0]
    rule = max((prefix for prefix in MAY_IMPORT if f"{name}.".startswith(f"{prefix}.")), key=len)
    # `_typeshed` is known to type checkers only.
    own = {*sys.stdlib_module_names, "_typeshed"}
    foreign = {imported.partition(".")[0] for imported in imported_by(path)} - own
    assert foreign - {package} <= MAY_IMPORT[rule]


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ("firellava.wire", "firellava.backends"),
        ("firellava.wire", "firellava.routing"),
        ("firellava.images", "firellava.wire"),
        ("firellava.images", "firellava.backends"),
        ("firellava.reader", "firellava.backends"),
        ("firellava.reader", "firellava.wire"),
        ("firellava.captions", "firellava.backends"),
        ("firellava.captions", "firellava.routing"),
        ("firellava.captions", "firellava.wire"),
        ("firellava.backends", "firellava.client"),
        ("firellava.pipeline", "firellava.client"),
        ("firellava.backends", "firellava.routing"),
        ("firellava.costs", "firellava.client"),
        ("firellava.costs", "firellava.routing"),
        ("firellava.costs", "firellava.wire"),
    ],
)
def test_inner_packages_do_not_know_outer_ones(inner: str, outer: str) -> None:
    for name, path in modules():
        if name.startswith(inner):
            assert not [imported for imported in imported_by(path) if imported.startswith(outer)], name


@pytest.mark.parametrize("package", PUBLIC)
def test_the_public_names_are_these(package: str) -> None:
    module = import_module(package)
    assert sorted(module.__all__) == sorted(PUBLIC[package].split())
    for name in module.__all__:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("package", PUBLIC)
def test_types_are_shipped(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
