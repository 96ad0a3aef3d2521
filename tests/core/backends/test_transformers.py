"""What is particular to transformers: checkpoints of all sorts, and what it counts and refuses."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from firellava import Message, VisionClient
from firellava.backends.transformers import TransformersBackend
from firellava.errors import ConfigurationError, InvalidRequest, UnsupportedCapability
from firellava.messages import ToolCall
from tests.fixtures.tiny_model import CHECKPOINT, CIRCLE, asked, transformers

pytestmark = pytest.mark.engine("transformers")

Changed = Callable[..., VisionClient]


@pytest.fixture
def client() -> VisionClient:
    return VisionClient(backend=transformers())


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """A client of a copy of the checkpoint in which a file has other settings, or is missing."""

    def make(file: str, settings: dict[str, Any] | None, **of_backend: Any) -> VisionClient:
        copy = shutil.copytree(CHECKPOINT, tmp_path / "changed")
        path = copy / file
        if settings is None:
            path.unlink()
        else:
            path.write_text(json.dumps(json.loads(path.read_text()) | settings))
        return VisionClient(backend=TransformersBackend(checkpoint_path=copy, **of_backend))

    return make


def test_tokens_are_counted_from_their_ids(client: VisionClient) -> None:
    usage = client.ask("Describe the image.", CIRCLE, temperature=0).usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.image_tokens) == (75, 64)
    two = client.ask("Are the two images the same colour?", CIRCLE, CIRCLE, temperature=0).usage
    assert two is not None
    assert (two.prompt_tokens, two.image_tokens) == (144, 128)
    none = client.ask("Describe the image.", temperature=0, max_tokens=2).usage
    assert none is not None
    assert (none.image_tokens, none.completion_tokens, none.total_tokens) == (None, 2, none.prompt_tokens + 2)


def test_a_checkpoint_without_a_chat_template_is_asked_in_llavas_format(changed: Changed) -> None:
    client = changed("chat_template.jinja", None)
    assert (
        client.ask("Describe the image.", CIRCLE, temperature=0).text == "A red circle on a blue background."
    )
    conversation = [
        Message("system", "Be brief."),
        *asked("What shape is in the image?", CIRCLE),
        Message("assistant", "A circle."),
        Message("user", "What colour is the circle?"),
    ]
    assert client.chat(conversation, temperature=0).text == "The circle is red."


def test_a_template_that_refuses_the_conversation_is_an_error_of_ours(
    changed: Changed, tmp_path: Path
) -> None:
    client = changed("config.json", {})
    (tmp_path / "changed" / "chat_template.jinja").write_text("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(InvalidRequest, match="roles must alternate"):
        client.ask("Describe the image.", CIRCLE)


def test_an_image_mark_in_the_text_is_not_taken_for_an_image(client: VisionClient) -> None:
    with pytest.raises(InvalidRequest, match="cannot take this conversation"):
        client.ask("What does <image> mean?", CIRCLE)


def test_a_processor_that_crops_loses_no_edges(changed: Changed) -> None:
    cropping = {"do_pad": False, "do_center_crop": True}
    processor = json.loads((CHECKPOINT / "processor_config.json").read_text())
    client = changed("processor_config.json", {"image_processor": processor["image_processor"] | cropping})
    wide = Image.new("RGB", (300, 100), "black")
    ImageDraw.Draw(wide).rectangle((0, 0, 99, 99), fill="red")
    ImageDraw.Draw(wide).rectangle((200, 0, 299, 99), fill="red")
    square = "What colour is the background?"
    cropped = client.ask(square, wide.crop((100, 0, 200, 100)), temperature=0).text
    assert cropped == "The background is black."
    assert client.ask(square, wide, temperature=0).text != cropped


def test_sampling_settings_of_a_checkpoint_do_not_disturb_a_greedy_answer(changed: Changed) -> None:
    sampling = {"do_sample": True, "temperature": 0.9, "top_p": 0.6, "top_k": 7}
    client = changed("generation_config.json", sampling)
    assert (
        client.ask("Describe the image.", CIRCLE, temperature=0).text == "A red circle on a blue background."
    )
    assert client.ask("Describe the image.", CIRCLE, top_p=0.1).text == "A red circle on a blue background."


def test_sampling_with_a_seed_leaves_the_random_numbers_of_the_process_alone(client: VisionClient) -> None:
    import torch  # noqa: PLC0415 - an optional extra

    torch.manual_seed(7)
    expected = torch.rand(1).item()
    torch.manual_seed(7)
    client.ask("Describe the image.", CIRCLE, temperature=1, seed=3)
    assert torch.rand(1).item() == expected


@pytest.mark.parametrize(
    "parameters",
    [
        {"logprobs": True},
        {"top_logprobs": 2},
        {"frequency_penalty": 0.5},
        {"presence_penalty": 0.5},
        {"response_format": {"type": "json_object"}},
        {"extra_body": {"mirostat": 2}},
        {"repetition_penalty": 0.0},
    ],
    ids=str,
)
def test_parameters_that_would_change_the_answer_and_are_not_known_are_refused(
    client: VisionClient, parameters: dict[str, Any]
) -> None:
    with pytest.raises(UnsupportedCapability, match=next(iter(parameters))):
        client.ask("Describe the image.", CIRCLE, **parameters)


def test_a_conversation_with_tool_calls_is_refused(client: VisionClient) -> None:
    conversation = [
        *asked("What is this?", CIRCLE),
        Message("assistant", tool_calls=(ToolCall("1", "look", "{}"),)),
        Message("tool", "A circle.", tool_call_id="1"),
    ]
    with pytest.raises(UnsupportedCapability, match="knows no tools"):
        client.chat(conversation)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_weights_are_loaded_as_asked(dtype: Any) -> None:
    backend = TransformersBackend(checkpoint_path=CHECKPOINT, dtype=dtype)
    reply = VisionClient(backend=backend).ask("What colour is the background?", CIRCLE, temperature=0)
    assert reply.text == "The background is blue."


@pytest.mark.parametrize(
    ("file", "settings", "of_backend"),
    [
        ("config.json", {"model_type": "no_such_model", "auto_map": {"AutoConfig": "evil.Config"}}, {}),
        ("model.safetensors", None, {}),
        ("tokenizer.json", None, {}),
        ("config.json", {}, {"device": "no-such-device"}),
    ],
    ids=["its own code", "no safetensors", "no tokenizer", "no such device"],
)
def test_a_checkpoint_that_cannot_be_loaded_is_named_and_nothing_of_it_is_run(
    changed: Changed,
    tmp_path: Path,
    file: str,
    settings: dict[str, Any] | None,
    of_backend: dict[str, Any],
) -> None:
    import safetensors.torch  # noqa: PLC0415 - an optional extra
    import torch  # noqa: PLC0415 - an optional extra

    client = changed(file, settings, **of_backend)
    copy = tmp_path / "changed"
    (copy / "evil.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')\n")
    torch.save(safetensors.torch.load_file(CHECKPOINT / "model.safetensors"), copy / "pytorch_model.bin")
    with pytest.raises(ConfigurationError, match="cannot load") as raised:
        client.ask("Describe the image.", CIRCLE)
    assert str(copy) in str(raised.value)
    assert not (tmp_path / "run").exists()


def test_a_directory_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no checkpoint in"):
        VisionClient(backend=TransformersBackend(checkpoint_path=tmp_path)).ask("Describe the image.", CIRCLE)


def test_the_label_shows_only_a_name() -> None:
    assert transformers().label == "transformers:checkpoint"
