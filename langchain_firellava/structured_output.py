"""Answers in the form of a schema: what is bound to the model, and what reads its answer.

Annotations here are read at run time by LangChain, so none hides behind TYPE_CHECKING.
"""

from operator import itemgetter
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel

__all__ = ["Method", "structured"]

Method = Literal["function_calling", "json_schema", "json_mode"]


def structured(
    model: BaseChatModel,
    schema: dict[str, Any] | type,
    *,
    method: Method,
    include_raw: bool,
    strict: bool | None,
    **parameters: Any,  # noqa: ANN401 - parameters of the call
) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
    """The model, asked for answers in the form of `schema`, and the parser of its answers in a row."""
    tracing = {"kwargs": {"method": method, "strict": strict}, "schema": schema}
    bound: Runnable[LanguageModelInput, Any]
    if method == "function_calling":
        name = convert_to_openai_tool(schema)["function"]["name"]
        bound = model.bind_tools(
            [schema], tool_choice=name, strict=strict, ls_structured_output_format=tracing, **parameters
        )
    else:
        bound = model.bind(
            response_format=_response_format(schema, method, strict),
            ls_structured_output_format=tracing,
            **parameters,
        )
    parser = _parser(schema, method)
    return _with_raw(bound, parser) if include_raw else bound | parser


def _response_format(schema: dict[str, Any] | type, method: Method, strict: bool | None) -> dict[str, Any]:  # noqa: FBT001 - passed on
    if method == "json_mode":
        return {"type": "json_object"}
    json_schema = convert_to_json_schema(schema, strict=strict)
    named: dict[str, Any] = {"name": json_schema.get("title", "answer"), "schema": json_schema}
    if strict is not None:
        named["strict"] = strict
    return {"type": "json_schema", "json_schema": named}


def _parser(schema: dict[str, Any] | type, method: Method) -> Runnable[Any, Any]:
    # True for models of pydantic's first version too, which LangChain's parsers take.
    model = schema if isinstance(schema, type) and is_basemodel_subclass(schema) else None
    if method == "function_calling":
        if model is not None:
            return PydanticToolsParser(tools=[model], first_tool_only=True)
        name = convert_to_openai_tool(schema)["function"]["name"]
        return JsonOutputKeyToolsParser(key_name=name, first_tool_only=True)
    parser: BaseOutputParser[Any] = (
        JsonOutputParser() if model is None else PydanticOutputParser(pydantic_object=model)
    )
    return parser


def _with_raw(
    bound: Runnable[LanguageModelInput, Any], parser: Runnable[Any, Any]
) -> Runnable[LanguageModelInput, Any]:
    parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=bound) | parsed.with_fallbacks([failed], exception_key="parsing_error")
