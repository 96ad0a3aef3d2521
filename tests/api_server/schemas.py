"""Values for a JSON schema, by rule, from what a text mentions.

Numbers are the numbers of the text in their order, strings its quoted strings, then its proper names, then
the whole text; `enum` takes the member the text mentions, else the first. Required properties are filled,
others where the text names them. Properties called format, width, height, mean or colour come from the first
image.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from tests.api_server.images import ReceivedImage

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")
_QUOTED = re.compile(r"(?<!\w)(['\"])(.+?)\1(?!\w)")
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z][\w-]*(?:,? [A-Z][\w-]*)*")
_FALSE = re.compile(r"\b(?:no|not|false)\b", re.IGNORECASE)
_FORMATTED = {
    "date": "2024-02-29",
    "time": "12:34:56Z",
    "date-time": "2024-02-29T12:34:56Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class Mentions:
    """What a text mentions, taken in order: each number and string is used once."""

    def __init__(self, text: str, images: Iterable[ReceivedImage] = ()) -> None:
        self.text = text
        self.quoted = [match[2] for match in _QUOTED.finditer(text)]
        self._strings = self.quoted + _NAME.findall(_QUOTED.sub("", text))
        self._numbers = [float(number) for number in _NUMBER.findall(text)]
        self._facts: Mapping[str, str | int] = next(map(_facts, images), {})

    @property
    def nothing(self) -> bool:
        """Whether the text mentions neither a number nor a string."""
        return not self._strings and not self._numbers

    def names(self, key: str) -> bool:
        """Whether the text speaks of a property."""
        return re.search(rf"\b{re.escape(key.replace('_', ' '))}\b", self.text, re.IGNORECASE) is not None

    def fact(self, key: str, kind: type) -> Any:
        """What the first image says about a property, or None."""
        value = self._facts.get(key.lower())
        return value if isinstance(value, kind) else None

    def take_number(self, schema: Mapping[str, Any], *, whole: bool) -> float | None:
        """The next number within the schema's bounds, or None."""
        for position, number in enumerate(self._numbers):
            if _clamped(number, schema) == number and (number.is_integer() or not whole):
                return self._numbers.pop(position)
        return None

    def take_string(self) -> str | None:
        """The next string, or None."""
        return self._strings.pop(0) if self._strings else None

    def remaining(self, kind: str) -> int:
        """How many values of a type are left."""
        if kind in {"integer", "number"}:
            return len(self._numbers)
        return len(self._strings) if kind == "string" else 0


def value_for(schema: Mapping[str, Any], mentions: Mentions) -> Any:
    """A value that is valid under the schema (`pattern` and `multipleOf` apart)."""
    return _value(schema, mentions, "", schema)


def _value(schema: Mapping[str, Any], mentions: Mentions, key: str, root: Mapping[str, Any]) -> Any:
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return next((member for member in schema["enum"] if mentions.names(str(member))), schema["enum"][0])
    value: Any
    match _kind(schema):
        case "object":
            value = _object(schema, mentions, root)
        case "array":
            value = _array(schema, mentions, key, root)
        case "integer":
            value = int(_number(schema, mentions, key, whole=True))
        case "number":
            value = _number(schema, mentions, key, whole=False)
        case "boolean":
            value = not _FALSE.search(mentions.text)
        case "null":
            value = None
        case _:
            value = _string(schema, mentions, key)
    return value


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema without references and alternatives: the first alternative that is not null."""
    if "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return _resolved(target, root)
    for alternatives in ("anyOf", "oneOf", "allOf"):
        if alternatives in schema:
            options = [option for option in schema[alternatives] if option.get("type") != "null"]
            return _resolved(options[0], root)
    return schema


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    return str(kind)


def _object(schema: Mapping[str, Any], mentions: Mentions, root: Mapping[str, Any]) -> dict[str, Any]:
    required = set(schema.get("required", ()))
    return {
        name: _value(inner, mentions, name, root)
        for name, inner in schema.get("properties", {}).items()
        if name in required or mentions.names(name)
    }


def _array(schema: Mapping[str, Any], mentions: Mentions, key: str, root: Mapping[str, Any]) -> list[Any]:
    items = schema.get("items", {})
    wanted = mentions.remaining(_kind(_resolved(items, root))) or 1
    count = min(max(wanted, schema.get("minItems", 0)), schema.get("maxItems", wanted))
    return [_value(items, mentions, key, root) for _ in range(count)]


def _number(schema: Mapping[str, Any], mentions: Mentions, key: str, *, whole: bool) -> float:
    fact = mentions.fact(key, int)
    if fact is not None:
        return float(fact)
    number = mentions.take_number(schema, whole=whole)
    return number if number is not None else _clamped(float(schema.get("default") or 1), schema)


def _clamped(number: float, schema: Mapping[str, Any]) -> float:
    if "minimum" in schema:
        number = max(number, schema["minimum"])
    if "exclusiveMinimum" in schema and number <= schema["exclusiveMinimum"]:
        number = schema["exclusiveMinimum"] + 1
    if "maximum" in schema:
        number = min(number, schema["maximum"])
    if "exclusiveMaximum" in schema and number >= schema["exclusiveMaximum"]:
        number = schema["exclusiveMaximum"] - 1
    return number


def _string(schema: Mapping[str, Any], mentions: Mentions, key: str) -> str:
    if "format" in schema:
        return _FORMATTED.get(schema["format"], mentions.text)
    value = mentions.fact(key, str) or mentions.take_string() or mentions.text
    return str(value)[: schema.get("maxLength")].ljust(schema.get("minLength", 0), ".")


def _facts(image: ReceivedImage) -> Mapping[str, str | int]:
    width, height = image.size
    colour = dict.fromkeys(("mean", "colour", "color"), image.mean)
    return {"format": image.format, "width": width, "height": height, **colour}
