"""Answers in the form of a schema: what is asked of the model, and what reads its answer.

Annotations here are read at run time by LangChain, so none hides behind TYPE_CHECKING.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Literal, get_args

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import BaseMessage, HumanMessage, convert_to_messages
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableLambda, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel

from firellava.errors import InvalidRequest
from firellava.json_answers import schema_instruction
from firellava.models import Capabilities
from langchain_firellava.translation.structured_answers import StructuredAnswerParser
from langchain_firellava.translation.tool_schemas import named_schema, to_tool_schema

__all__ = ["Method", "method_for", "structured"]

Method = Literal["function_calling", "json_schema", "json_mode", "prompt"]
"""How a model is brought to answer in the form of a schema.

``function_calling``: it calls a tool whose arguments are the answer. ``json_schema``: the server holds it to
the schema. ``json_mode``: the server holds it to JSON, and your prompt says of which form. ``prompt``: the
schema is put into the prompt, and the JSON is found in whatever the model writes.
"""


def method_for(capabilities: Capabilities, *, schema: object, tools: object) -> Method:
    """The best method for a model, where the caller names none."""
    if schema is None:
        return "json_mode"
    if capabilities.tools and not tools:
        return "function_calling"
    return "json_schema" if capabilities.json_schema else "prompt"


def structured(
    llm: BaseChatModel,
    schema: dict[str, Any] | type | None,
    /,
    *,
    method: Method,
    include_raw: bool,
    strict: bool | None,
    tools: Sequence[Any],
    **parameters: Any,  # noqa: ANN401 - parameters of the call
) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
    """The model, asked for answers in the form of `schema`, and the parser of its answers in a row.

    Raises:
        InvalidRequest: these do not go together, or the schema is none.
    """
    _check(schema, method, include_raw=include_raw, strict=strict, tools=tools)
    wanted = named_schema(schema) if isinstance(schema, dict) else schema
    parameters["ls_structured_output_format"] = {
        "kwargs": {"method": method, "strict": strict},
        "schema": wanted,
    }
    bound: Runnable[Any, Any]
    tool = None
    if method == "function_calling" and wanted is not None:
        tool = to_tool_schema(wanted)["function"]["name"]
        bound = llm.bind_tools([wanted], tool_choice=tool, strict=strict, **parameters)
    else:
        if method != "prompt":
            parameters["response_format"] = _response_format(wanted, method, strict)
        bound = llm.bind_tools(tools, **parameters) if tools else llm.bind(**parameters)
    json_schema = {} if method == "json_mode" or wanted is None else _json_schema(wanted, strict)
    if method == "prompt":
        bound = RunnableLambda(_Instruction(schema_instruction(json_schema)), name="instruction") | bound
    # True for models of pydantic's first version too.
    has_class = isinstance(schema, type) and is_basemodel_subclass(schema)
    parser = StructuredAnswerParser(
        model_class=schema if has_class else None,
        tool=tool,
        array=json_schema.get("type") == "array",
        may_call_tools=bool(tools),
    )
    return _with_raw(bound, parser) if include_raw else bound | parser


def _check(
    schema: object, method: Method, *, include_raw: bool, strict: bool | None, tools: Sequence[Any]
) -> None:
    if method not in get_args(Method):
        known = ", ".join(map(repr, get_args(Method)))
        raise InvalidRequest(f"method= is one of {known}, not {method!r}.")
    if schema is None and method != "json_mode":
        raise InvalidRequest(f"method={method!r} needs a schema; method='json_mode' needs none.")
    if strict and method in ("json_mode", "prompt"):
        raise InvalidRequest(
            f"strict=True goes with function_calling and json_schema: {method!r} holds a model to no schema."
        )
    if tools and (method == "function_calling" or not include_raw):
        raise InvalidRequest(
            "tools= needs include_raw=True, since an answer may be their calls, and a method other than "
            "function_calling, which makes the model call the schema."
        )


def _response_format(
    schema: dict[str, Any] | type | None,
    method: Method,
    strict: bool | None,  # noqa: FBT001 - passed on
) -> dict[str, Any]:
    if method == "json_mode" or schema is None:
        return {"type": "json_object"}
    json_schema = _json_schema(schema, strict)
    named: dict[str, Any] = {"name": json_schema["title"], "schema": json_schema}
    if strict is not None:
        named["strict"] = strict
    return {"type": "json_schema", "json_schema": named}


def _json_schema(schema: dict[str, Any] | type, strict: bool | None) -> dict[str, Any]:  # noqa: FBT001 - passed on
    if isinstance(schema, dict) and "properties" not in schema and "title" in schema:
        return (
            schema  # an array, a reference or the like, of which LangChain's conversion keeps the title only
        )
    try:
        return convert_to_json_schema(schema, strict=strict)
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"This is no schema: {str(error)[:300]}") from None


class _Instruction:
    """Puts a text behind the last question of a conversation."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, asked: Any) -> list[BaseMessage]:  # noqa: ANN401 - whatever models take
        if isinstance(asked, str):
            messages: list[BaseMessage] = [HumanMessage(asked)]
        elif isinstance(asked, PromptValue):
            messages = asked.to_messages()
        else:
            messages = convert_to_messages(asked)
        last = messages[-1] if messages else None
        if not isinstance(last, HumanMessage):
            return [*messages, HumanMessage(self._text)]
        content: str | list[str | dict[str, Any]]
        if isinstance(last.content, str):
            content = f"{last.content}\n\n{self._text}"
        else:
            content = [*last.content, {"type": "text", "text": self._text}]
        return [*messages[:-1], last.model_copy(update={"content": content})]


def _with_raw(
    bound: Runnable[LanguageModelInput, Any], parser: Runnable[Any, Any]
) -> Runnable[LanguageModelInput, Any]:
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=bound) | parsed.with_fallbacks([failed], exception_key="parsing_error")
