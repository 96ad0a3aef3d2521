"""Why requests differ for what stands in a conversation: texts, images, calls, and what models say."""

from typing import Final

from tests.langchain.differences.difference import NOT_SENT, REFUSED, Difference

CONVERSATIONS: Final = (
    # Text and roles
    Difference(
        "The API has no role developer; what it calls system is the same.",
        (REFUSED, 'messages.0.role: "system" instead of "developer"'),
        both=("developer in ChatMessage",),
        openai=("developer",),
    ),
    Difference(
        "The API refuses keys it does not know: names, ids, marks for caches and the like are left out.",
        (
            REFUSED,
            "messages.*.name: nothing instead of *",
            "messages.*.cache_control: nothing instead of *",
            'messages.0.content: "What is this?" instead of [{*"extras": {"a": 1}}]',
            "messages.1.audio: nothing instead of *",
            "messages.1.function_call: nothing instead of *",
            'messages.1.content: "" instead of nothing',
            "tools.0.cache_control: nothing instead of {}",
            "tools.0.function.examples: nothing instead of []",
        ),
        both=(
            "names in additional_kwargs",
            "call as functions were called",
            "tool of OpenAI with keys of others",
        ),
        openai=(
            "names",
            "text block with an id",
            "text marked for a cache",
            "image marked for a cache",
            "sound in additional_kwargs",
        ),
    ),
    Difference(
        "The API takes no bare strings in a list: they are made text parts.",
        (REFUSED, 'messages.*.content.*: {"type": "text", "text": "*"} instead of "*"'),
        both=(
            "texts in a list",
            "texts in an answer",
            "image beside a bare string",
            "result in bare strings",
        ),
    ),
    Difference(
        "The API takes no empty list: it is an empty text, or nothing where there are calls or no tools.",
        (REFUSED, 'messages.*.content: "" instead of []', "*: nothing instead of []"),
        both=("answer of no blocks", "result of no blocks", "no tools"),
        fireworks=("call of no blocks", "v1 call", "v1 reasoning and call"),
    ),
    Difference(
        "Texts are read in every service's block.",
        (
            REFUSED,
            NOT_SENT,
            'messages.0.content: "Hello" instead of [{"type": "input_text"*}]',
            'messages.0.content.1.type: "text" instead of "document"',
            "messages.0.content.1.source: nothing instead of *",
            'messages.0.content.1.text: "Hm." instead of nothing',
            'messages.2.content: "{\\"sum\\": 7}" instead of [{"type": "json"*}]',
        ),
        both=(
            "text of a file",
            "text of Anthropic's document",
            "text for OpenAI Responses",
            "result in a json block",
        ),
    ),
    Difference(
        "What is sent without anything in it is refused before it is.",
        ("not sent (InvalidRequest) instead of answered",),
        both=("empty text", "blank text"),
    ),
    Difference(
        "What the API cannot take is refused before it is sent, with advice.",
        (
            "not sent (InvalidRequest) instead of refused",
            "not sent (UnreadableImage) instead of refused",
            "not sent (InvalidRequest) instead of not sent (*)",
        ),
        both=(
            "role that does not exist",
            "function message",
            "image by its id elsewhere",
            "path in the place of an image",
            "sound",
            "PDF",
            "tool that a service has built in",
            "choice of no tool there is",
            "temperature that is none",
            "more stops than the API takes",
        ),
    ),
    # Images
    Difference(
        "Images are read in every service's block.",
        (
            REFUSED,
            NOT_SENT,
            'messages.0.content.1.type: "image_url" instead of *',
            'messages.0.content.1.image_url: {"url": *} instead of *',
            "messages.0.content.1.*: nothing instead of *",
        ),
        both=(
            "image, a plain string",
            "image, OpenAI Responses",
            "image, Bedrock Converse",
            "image, Google",
            "image, Google with bytes",
            "image, a file block",
            "image by URL, a plain string",
            "image by URL, Google",
        ),
    ),
    Difference(
        "The detail is kept, wherever a block has it.",
        ('messages.0.content.1.image_url.detail: "high" instead of nothing',),
        both=("detail beside a standard image", "detail in extras"),
    ),
    Difference(
        "Images are sent as large as the model sees, in formats that the API takes, as what they are.",
        (
            REFUSED,
            'messages.0.content.1.image_url.url: "image/png: PNG 1568x784 *" instead of "*3000x1500 *"',
            'messages.0.content.1.image_url.url: "image/png: PNG 336x336 *" instead of "*40x20 *"',
            'messages.0.content.1.image_url.url: "image/png: PNG *" instead of "image/webp: WEBP *"',
            'messages.0.content.1.image_url.url: "image/png: PNG *" instead of "image/jpeg: PNG *"',
        ),
        both=("large image", "image to FireLLaVA", "WebP image", "image that says it is another format"),
    ),
    # Calls and results
    Difference(
        "Calls and results inside the content are calls and results.",
        (
            REFUSED,
            "messages.1.content: nothing instead of []",
            'messages.1.tool_calls: [{"id": "call_1"*}] instead of nothing',
            'messages.2.role: "tool" instead of "user"',
            'messages.2.content: "7" instead of [{"type": "tool_result"*}]',
            'messages.2.tool_call_id: "call_1" instead of nothing',
        ),
        both=(
            "call in Anthropic's block alone",
            "result in Anthropic's block",
            "v1 call in the content alone",
        ),
    ),
    Difference(
        "Arguments that are no JSON stand inside of some, since chat templates read an object.",
        (
            'messages.1.tool_calls.0.function.arguments: {"invalid_arguments": *} instead of "*"',
            "messages.1.tool_calls.0.function.arguments.*: nothing instead of *",
            "messages.1.tool_calls.0.function.arguments.invalid_arguments: * instead of nothing",
        ),
        both=("invalid call",),
    ),
    Difference(
        "The model card says that this model looks at images that a user shows: those of tools move there.",
        (
            "messages.*.content: *[Image 1 of this result is shown in the next user message.]*",
            'messages.3: {"role": "user", "content": [*"text": "Image*"}*]} instead of nothing',
            'messages.4.content: [{"type": "text", "text": "Image*"}*] instead of "And?"',
            'messages.5: {"role": "user", "content": "And?"} instead of nothing',
        ),
        both=(
            "result with an image",
            "result with two images",
            "result that is an image",
            "results with images of parallel calls",
        ),
    ),
    # What models say
    Difference(
        "What models think goes back to them: the API has a place for it, and some need it between calls.",
        ("messages.1.reasoning_content: * instead of nothing",),
        both=("reasoning in a block", "v1 reasoning", "v1 reasoning with extras", "v1 reasoning and call"),
        openai=("reasoning beside the text", "reasoning before a call", "streamed reasoning and call"),
    ),
    Difference(
        "What models of other services say besides text is nothing that the API takes back.",
        (
            REFUSED,
            'messages.1.content: "What is this?" instead of [*{"type": "image_generation_call"*}]',
            'messages.1.content: "Hi." instead of [*{"type": "text", "text": "Hi."*}]',
        ),
        both=(
            "drawn image of an answer",
            "search of OpenAI Responses",
            "search of Anthropic",
            "v1 call of a server's tool",
            "v1 block of another service",
        ),
    ),
    Difference(
        "What a model says in refusing is its answer.",
        (REFUSED, 'messages.1.content: "No." instead of [{"type": "refusal"*}]'),
        both=("refusal",),
    ),
)
