"""What a question asks for, and where it stands in a prompt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.prompts.chat_prompts import (
    CHAT_CONTENT_QA_PROMPT,
    CHAT_CONTENT_REFINE_PROMPT,
    CHAT_REFINE_PROMPT,
    CHAT_TEXT_QA_PROMPT,
    CHAT_TREE_SUMMARIZE_PROMPT,
)
from llama_index.core.prompts.default_prompts import (
    DEFAULT_REFINE_PROMPT,
    DEFAULT_REFINE_TABLE_CONTEXT_PROMPT,
    DEFAULT_TABLE_CONTEXT_PROMPT,
    DEFAULT_TEXT_QA_PROMPT,
    DEFAULT_TREE_SUMMARIZE_PROMPT,
)

from firellava.reader import last_question
from firellava.reader.questions import Wants, understand
from firellava.reader.values import Shape

QUESTION = "What is the total?"
# Context that looks like the templates around it, as a page of frequent questions does.
CONTEXT = "Frequent questions\nQuestion: What is a tax?\nAnswer: Money.\nQuery: how many?\nAnswer: 3"


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ("What is the total?", "total"),
        ("How much was paid?", "total"),
        ("How much do I owe?", "total"),
        ("total amount due", "total"),
        ("What is the subtotal?", "subtotal"),
        ("How much tax was charged?", "tax"),
        ("How much change was given?", "change"),
        ("What was the tip?", "tip"),
        ("What is the date on the receipt?", "date"),
        ("When is the invoice due?", "due date"),
        ("When does it expire?", "expiry date"),
        ("What time do doors open?", "time"),
        ("What are the opening hours?", "time span"),
        ("What is the invoice number?", "invoice number"),
        ("What's the order number?", "order number"),
        ("What is the phone number?", "telephone number"),
        ("Which e-mail address is given?", "e-mail address"),
        ("Who is the bill addressed to?", "buyer"),
        ("What is the name of the shop?", "company"),
        ("Who issued this invoice?", "company"),
        ("What is the name?", "name"),
        ("What is the address of the shop?", "address"),
    ],
)
def test_a_question_names_its_field(question: str, field: str) -> None:
    asked = understand(question)
    assert asked.wants is Wants.FIELD
    assert asked.field is not None
    assert asked.field.name == field


@pytest.mark.parametrize(
    ("question", "wants"),
    [
        ("What does the sign say?", Wants.TRANSCRIPT),
        ("Read the text.", Wants.TRANSCRIPT),
        ("Transcribe this document", Wants.TRANSCRIPT),
        ("What is written here?", Wants.TRANSCRIPT),
        ("Extract all text from the image", Wants.TRANSCRIPT),
        ("What colours are in the picture?", Wants.COLOUR),
        ("What is the most common color?", Wants.COLOUR),
        ("How big is the image?", Wants.SIZE),
        ("What is the resolution of the photo?", Wants.SIZE),
        ("What is the title of the chart?", Wants.TITLE),
        ("Does it say 'no parking'?", Wants.PRESENCE),
        ("Does the receipt mention coffee?", Wants.PRESENCE),
        ("Is there a phone number?", Wants.PRESENCE),
        ("What does it say about returns?", Wants.MENTION),
        ("How much is the coffee?", Wants.VALUE),
        ("What is the routing number?", Wants.VALUE),
        ("What items were bought?", Wants.ITEMS),
        ("List all the phone numbers", Wants.LIST),
        ("Which dates are on the page?", Wants.LIST),
        ("What language is it in?", Wants.LANGUAGE),
    ],
)
def test_a_question_wants_one_kind_of_answer(question: str, wants: Wants) -> None:
    assert understand(question).wants is wants


@pytest.mark.parametrize(
    ("question", "needs"),
    [
        ("What is the person doing?", "seeing"),
        ("What is the man in the shop wearing?", "seeing"),
        ("Describe the scene.", "seeing"),
        ("What is in the image?", "seeing"),
        ("Who is this?", "seeing"),
        ("What is to the left of the car?", "seeing"),
        ("Is there a cat?", "seeing"),
        ("Where was this photo taken?", "seeing"),
        ("Which bar is the highest?", "comparing"),
        ("What is the average total?", "comparing"),
        ("Which item is the most expensive?", "comparing"),
        ("What does the chart show?", "comparing"),
        ("What is the trend?", "comparing"),
        ("Why is the total so high?", "explaining"),
        ("Summarise the letter", "explaining"),
        ("Translate the sign into English", "translating"),
        ("Is parking allowed here?", "understanding"),
        ("How was it paid?", "understanding"),
    ],
)
def test_what_text_cannot_tell_is_declined_by_its_name(question: str, needs: str) -> None:
    asked = understand(question)
    assert asked.wants is Wants.BEYOND
    assert asked.beyond.startswith(needs)


@pytest.mark.parametrize(
    ("question", "beyond"),
    [
        ("How many cats are there?", "counting"),
        ("Count the items on the receipt", "counting"),
        ("How many items make up the total?", "counting"),
        ("What animal is on the poster?", "seeing"),
    ],
)
def test_what_a_label_may_state_is_looked_up_before_it_is_declined(question: str, beyond: str) -> None:
    asked = understand(question)
    assert asked.wants is Wants.VALUE
    assert asked.beyond.startswith(beyond)


@pytest.mark.parametrize(
    ("question", "phrase"),
    [
        ("Does it say 'Tow-Away Zone'?", "Tow-Away Zone"),
        ("Does the receipt mention oat milk?", "oat milk"),
        ("Is the word TOTAL written in the image?", "total"),
        ("Does the sign contain the word parking?", "parking"),
        ("Is this an invoice?", "invoice"),
    ],
)
def test_a_question_about_presence_names_the_phrase(question: str, phrase: str) -> None:
    assert understand(question).phrase == phrase


def test_the_words_of_a_question_say_which_label_and_which_form_to_look_for() -> None:
    asked = understand("How much did the dark chocolate cost?")
    assert (asked.words, asked.shape) == (("dark", "chocolate", "price"), Shape.AMOUNT)
    asked = understand("What is the routing number?")
    assert (asked.words, asked.shape) == (("routing",), Shape.NUMBER)


@pytest.mark.parametrize(
    ("question", "shape"),
    [
        ("How much is the late fee?", Shape.AMOUNT),
        ("How much memory does it have?", Shape.QUANTITY),
        ("How far is the lake?", Shape.MEASURE),
        ("How many refills are left?", Shape.COUNT),
        ("When is lunch?", Shape.MOMENT),
        ("What is the boarding time?", Shape.TIME),
        ("Where is the workshop?", Shape.PLACE),
        ("Who presents the roadmap?", Shape.NAME),
        ("What is the member number?", Shape.NUMBER),
        ("Which platform does it leave from?", Shape.TEXT),
    ],
)
def test_a_question_says_what_form_its_answer_has(question: str, shape: Shape) -> None:
    assert understand(question).shape is shape


def test_what_narrows_a_field_down_is_kept() -> None:
    asked = understand("What are the opening hours on Saturday?")
    assert asked.field is not None
    assert (asked.field.name, asked.narrowing) == ("time span", ("saturday",))
    assert understand("What is the date of the invoice?").narrowing == ()


@pytest.mark.parametrize(
    ("question", "image"),
    [
        ("What is the total on the second receipt?", 1),
        ("What does image 3 say?", 2),
        ("What is the total?", None),
        ("Which invoice 2026-01 is this?", None),
    ],
)
def test_a_question_may_name_the_image_it_means(question: str, image: int | None) -> None:
    assert understand(question).image == image


@pytest.mark.parametrize(
    "template",
    [
        DEFAULT_TEXT_QA_PROMPT,
        DEFAULT_TREE_SUMMARIZE_PROMPT,
        DEFAULT_REFINE_PROMPT,
        DEFAULT_TABLE_CONTEXT_PROMPT,
        DEFAULT_REFINE_TABLE_CONTEXT_PROMPT,
        CHAT_TEXT_QA_PROMPT,
        CHAT_TREE_SUMMARIZE_PROMPT,
        CHAT_REFINE_PROMPT,
        CHAT_CONTENT_QA_PROMPT,
        CHAT_CONTENT_REFINE_PROMPT,
    ],
)
def test_the_question_is_found_inside_llama_index_prompts(template: BasePromptTemplate) -> None:
    filled = template.format_messages(
        query_str=QUESTION,
        context_str=CONTEXT,
        context_msg=CONTEXT,
        context_messages=[ChatMessage(CONTEXT)],
        existing_answer="Query: none\nAnswer: 12",
        schema="items(name, price)",
    )
    assert last_question(str(filled[-1].content)) == QUESTION


@pytest.mark.parametrize(
    "prompt",
    [
        "{question}",
        "<image>\n{question}",
        "USER:\n<image>\n{question}\n\nASSISTANT:",
        "USER: <image>\n{question} ASSISTANT:",
        "A chat. USER: <image>\nWhat is this? ASSISTANT: A receipt.</s>USER: {question} ASSISTANT:",
        (
            "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\n<image>\n{question}<|im_end|>\n"
            "<|im_start|>assistant\n"
        ),
        "[INST] <image>\n{question} [/INST]",
        (
            "You are an assistant for question-answering tasks. Use the following pieces of retrieved "
            "context to answer the question.\nQuestion: {question} \nContext: {context} \nAnswer:"
        ),
        (
            "Use the following pieces of context to answer the question at the end.\n\n{context}\n\n"
            "Question: {question}\nHelpful Answer:"
        ),
        "Answer the question based only on the following context:\n{context}\n\nQuestion: {question}\n",
        (
            "The original question is as follows: {question}\nWe have provided an existing answer: 12\nWe "
            "have the opportunity to refine it (only if needed) with some more context below.\n"
            "------------\n{context}\n------------\nGiven the new context, refine the original answer."
        ),
        "Chat History:\nHuman: hello\nFollow Up Input: {question}\nStandalone question:",
        "Human: hello\nAI: How can I help?\nHuman: {question}\nAI:",
        "Begin!\n\nQuestion: {question}\nThought:",
        "Look at this receipt.\n\n{question}\n\nAnswer in one word.",
    ],
)
def test_the_question_is_found_inside_other_prompts(prompt: str) -> None:
    filled = prompt.replace("{question}", QUESTION).replace("{context}", CONTEXT)
    assert last_question(filled) == QUESTION


def test_a_text_that_no_template_wraps_is_the_question() -> None:
    text = "What is the total?\nJust the number, please."
    assert last_question(text) == text


@given(st.text(max_size=300))
def test_every_text_is_understood_as_something(text: str) -> None:
    assert understand(last_question(text)).wants in Wants
