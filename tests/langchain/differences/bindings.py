"""Why requests differ for what is bound to a model: tools, schemas, parameters."""

from typing import Final

from tests.langchain.differences.difference import NOT_SENT, REFUSED, Difference

BINDINGS: Final = (
    # Tools
    Difference(
        "What is said with strict= holds for every tool, however it is written.",
        (
            "tools.0.function.strict: true instead of nothing",
            "tools.0.function.parameters.additionalProperties: false instead of nothing",
        ),
        both=("tool of OpenAI, strict",),
        fireworks=("structured by a tool, strict",),
    ),
    Difference(
        "The API knows the word any; OpenAI's required means the same.",
        ('tool_choice: "any" instead of "required"',),
        openai=("choice any", "choice True", "choice True of two"),
    ),
    Difference(
        "True and required are any tool of several; langchain-fireworks takes them for one tool's name.",
        (
            REFUSED,
            NOT_SENT,
            'tool_choice: "required" instead of {"type": "function", "function": {"name": "required"}}',
            'tool_choice: "any" instead of {"type": "function", "function": {"name": "add"}}',
        ),
        fireworks=("choice required", "choice required of one", "choice True", "choice True of two"),
    ),
    Difference(
        "A choice is read in every service's form.",
        (
            REFUSED,
            'tool_choice: "any" instead of {"type": "any"}',
            'tool_choice.type: "function" instead of *',
            'tool_choice.function: {"name": "look"} instead of nothing',
            "tool_choice.*: nothing instead of *",
        ),
        both=("choice by Anthropic's object", "choice by Bedrock's object", "choice any in an object"),
    ),
    # Structured output
    Difference(
        "Unless told otherwise a model that calls tools answers by one, as langchain-fireworks has it.",
        (
            "response_format: nothing instead of *",
            'tools: [{"type": "function", "function": {"name": "Person"*}}] instead of nothing',
            'tool_choice: {"type": "function", "function": {"name": "Person"}} instead of nothing',
        ),
        openai=("structured",),
    ),
    Difference(
        "Of several calls the first is the answer; langchain-openai forbids them instead.",
        ("parallel_tool_calls: nothing instead of false",),
        openai=(
            "structured by a tool",
            "structured by a tool, strict",
            "structured by a tool, typed dict",
            "structured by a tool, JSON schema",
            "structured by a tool, raw too",
            "structured about an image",
        ),
    ),
    Difference(
        "A schema is strict where it is said to be; OpenAI's classes always are, and its tools beside one.",
        (
            "response_format.json_schema.strict: nothing instead of true",
            "response_format.json_schema.strict: nothing instead of false",
            "response_format.json_schema.strict: false instead of true",
            "*.additionalProperties: nothing instead of false",
            'response_format.json_schema.schema.required.1: nothing instead of "pet"',
            "tools.0.function.strict: nothing instead of true",
        ),
        openai=(
            "structured by a schema",
            "structured by a schema, nested",
            "structured by a schema, not strict",
            "structured by a schema, typed dict",
            "structured by a schema, beside tools",
            "response_format of a schema, beside tools",
        ),
    ),
    Difference(
        "Schemas are as LangChain writes them for tools: no titles of fields, no references.",
        (
            "response_format.json_schema.schema.properties.*.title: nothing instead of *",
            "response_format.json_schema.schema.properties.members.items.$ref: nothing instead of *",
            "response_format.json_schema.schema.properties.members.items.*: * instead of nothing",
            "response_format.json_schema.schema.$defs: nothing instead of *",
        ),
        openai=(
            "structured by a schema",
            "structured by a schema, nested",
            "structured by a schema, not strict",
        ),
    ),
    Difference(
        "Title and description stay in the schema, where the model reads them.",
        (
            "response_format.json_schema.description: nothing instead of *",
            "response_format.json_schema.schema.title: * instead of nothing",
            "response_format.json_schema.schema.description: * instead of nothing",
        ),
        openai=(
            "structured by a schema, strict",
            "structured by a schema, typed dict",
            "structured by a schema, beside tools",
            "response_format of a schema, beside tools",
        ),
    ),
    Difference(
        "A json_schema is sent as one, since json_object has no strict; langchain-fireworks makes it one.",
        (
            'response_format.type: "json_schema" instead of "json_object"',
            "response_format.schema: nothing instead of *",
            "response_format.json_schema: * instead of nothing",
        ),
        fireworks=(
            "structured by a schema",
            "structured by a schema, nested",
            "structured by a schema, strict",
            "structured by a schema, not strict",
            "structured by a schema, typed dict",
            "structured by a schema, an array",
        ),
    ),
    Difference(
        "Every JSON schema will do, an array or one without a title, and tools may stand beside it.",
        (NOT_SENT,),
        both=("structured by a schema without a title",),
        openai=("structured by a schema, an array",),
        fireworks=("structured by a schema, beside tools",),
    ),
    # Parameters
    Difference(
        "Usage is always asked for; langchain-openai does so at OpenAI's own address only.",
        ('stream_options: {"include_usage": true} instead of nothing',),
        openai=("text, streamed", "tools, streamed"),
    ),
    Difference(
        "The API's name is max_tokens; max_completion_tokens is OpenAI's for the same.",
        ("max_completion_tokens: nothing instead of 20", "max_tokens: 20 instead of nothing"),
        both=("max_completion_tokens",),
        openai=("max_tokens",),
    ),
    Difference(
        "One text that ends an answer is a list of one.",
        ('stop: ["#"] instead of "#"',),
        both=("stop, a string",),
    ),
    Difference(
        "It is a parameter of the API or of LangChain's, which the other package does not know.",
        (NOT_SENT,),
        openai=("top_k",),
        fireworks=("stream_usage",),
    ),
    Difference(
        "A name that is no parameter is more often misspelt: what else the API takes goes into extra_body.",
        (
            "not sent (InvalidRequest) instead of answered",
            "not sent (InvalidRequest) instead of not sent (TypeError)",
        ),
        both=("logit_bias", "parameter that nobody knows", "response_format, a class"),
    ),
)
