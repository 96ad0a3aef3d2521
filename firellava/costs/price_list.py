"""Where prices are looked up besides the model cards: the user's price file, and genai-prices.

The file is named in ``FIRELLAVA_PRICES``. It is TOML with one table for each model, by its short or its full
name, in dollars per million tokens::

    ["firellava-13b"]
    input = 0.20
    cached_input = 0.10     # optional: the full price without it
    output = 0.20
    date = 2026-11-01       # optional: when it was read
    source = "our contract" # optional: where it was read

    ["accounts/acme/deployments/vision"]
    input = 0.55
    output = 0.55

The package ``genai-prices`` comes with the extra ``prices``. Only the list inside the package is read; its
updates over the network are never started from here.
"""

from __future__ import annotations

import bisect
import os
import re
import stat
import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from firellava.costs.prices import Prices
from firellava.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from typing import NoReturn

__all__ = ["VARIABLE", "prices_in_file", "prices_of_genai_prices"]

VARIABLE: Final = "FIRELLAVA_PRICES"
"""The environment variable that names the price file."""

_PRICES_OF_GENAI_PRICES: Final = {
    "input_mtok": "input",
    "cache_read_mtok": "cached_input",
    "output_mtok": "output",
}
# More than any cached price, so that a price in a file can be judged without the others.
_DEAR: Final = 10**9


def prices_in_file(*names: str) -> Prices | None:
    """What the user's price file says about a model, under the first of its names that it has.

    None where no file is named or the file does not have the model. A file that was changed is read again.

    Raises:
        ConfigurationError: the file is missing or malformed; says which line.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return None
    try:
        status = os.stat(path)  # noqa: PTH116 - at every call, and three times as fast as Path's
        if not stat.S_ISREG(status.st_mode):
            raise ConfigurationError(f"{VARIABLE} names {path}, which is no file.")
        listed = _read(path, status.st_mtime_ns, status.st_size, status.st_ino)
    except OSError as error:
        problem = f"{VARIABLE} names {path}, which cannot be read: {error.strerror}."
        raise ConfigurationError(problem) from None
    return next((listed[name] for name in names if name in listed), None)


@lru_cache(maxsize=8)
def _read(path: str, *version: int) -> Mapping[str, Prices]:  # noqa: ARG001 - the version is for the cache
    content = Path(path).read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _malformed(path, content.count(b"\n", 0, error.start) + 1, "not UTF-8")
    lines = text.replace("\r\n", "\n").split("\n")
    try:
        tables = _parsed(lines)
    except ValueError as error:  # tomllib's own, or an integer of thousands of digits
        found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(found[1]) if found and found[1] else len(lines)
        _malformed(path, line, str(error)[: found.start()] if found else str(error))
    return MappingProxyType({model: _prices(path, lines, model, table) for model, table in tables.items()})


def _parsed(lines: Sequence[str]) -> dict[str, Any]:
    # As text, floats reach `Prices` digit by digit.
    return tomllib.loads("\n".join(lines), parse_float=str)


def _prices(path: str, lines: Sequence[str], model: str, table: object) -> Prices:
    if not isinstance(table, dict):
        problem = f'{model!r} is no table: write ["{model}"] on a line of its own, and the prices below it'
        _malformed(path, _line_of(lines, model), problem)
    source = f"{VARIABLE} ({Path(path).name})"
    for key, value in table.items():
        try:
            Prices.model_validate({"input": _DEAR, "output": 0, key: value})
        except ConfigurationError as error:
            _malformed(path, _line_of(lines, model, key), _of_model(model, error))
    try:
        return Prices.model_validate({"source": source, **table})
    except ConfigurationError as error:
        _malformed(path, _line_of(lines, model), _of_model(model, error))


def _malformed(path: str, line: int, problem: str) -> NoReturn:
    raise ConfigurationError(f"{path}, line {line}: {problem.removesuffix('.')}.") from None


def _of_model(model: str, error: ConfigurationError) -> str:
    return f'["{model}"] {str(error).removeprefix("Prices: ")}'


def _line_of(lines: Sequence[str], *keys: str) -> int:
    """The line, from 1, at which a key of a well-formed document begins."""

    def begun(count: int) -> bool:
        """Whether the first lines have the key, with as many more as end the value they stop in."""
        value: Any = _parsed_from(lines, count)
        for key in keys:
            if not isinstance(value, dict) or key not in value:
                return False
            value = value[key]
        return True

    return bisect.bisect_left(range(1, len(lines) + 1), True, key=begun) + 1  # noqa: FBT003 - what is sought


def _parsed_from(lines: Sequence[str], count: int) -> dict[str, Any]:
    while True:
        try:
            return _parsed(lines[:count])
        except tomllib.TOMLDecodeError:
            count += 1


def prices_of_genai_prices(model: str) -> Prices | None:
    """What the package genai-prices says about a Fireworks model by its full name, today.

    None where the package is not installed, does not know this very name, or prices it by more than tokens
    in, cached and out.
    """
    return _on_day(model, datetime.now(UTC).date())


@lru_cache(maxsize=256)
def _on_day(model: str, day: date) -> Prices | None:
    try:
        # Imported at first need: its list of all providers takes a tenth of a second to load.
        import genai_prices  # noqa: PLC0415

        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        found = genai_prices.calc_price(
            genai_prices.Usage(), model, provider_id="fireworks", genai_request_timestamp=noon
        )
    except (ImportError, LookupError):
        return None
    stated = {name: price for name, price in vars(found.model_price).items() if price is not None}
    flat = all(isinstance(price, Decimal) for price in stated.values())
    if not (_is_named(found.model.match, model) and flat and stated.keys() <= _PRICES_OF_GENAI_PRICES.keys()):
        return None
    if not {"input_mtok", "output_mtok"} <= stated.keys():
        return None
    known = {_PRICES_OF_GENAI_PRICES[name]: price for name, price in stated.items()}
    return Prices.model_validate(known | {"source": f"genai-prices {genai_prices.__version__}"})


def _is_named(rule: object, model: str) -> bool:
    """Whether one of the package's rules is about this name alone, not about all that begin with it."""
    alternatives = getattr(rule, "or_", ())
    return getattr(rule, "equals", None) == model or any(_is_named(one, model) for one in alternatives)
