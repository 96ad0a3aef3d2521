"""The offline reader: questions about images, answered from the text in them.

It reads an image with an OCR engine whose weights come with its package, finds the line or the field that
answers, and quotes it. It also tells the colours and the size of an image. It does not understand scenes, and
says so when asked. It knows nothing of backends, HTTP or frameworks.

The way of a question: `prompts` finds it in what the framework sent; `questions` tells what it asks for,
with the fields of `vocabulary` and the limits of `beyond`; `engine` reads the image into `boxes`; `layout`
arranges them; `fields`, `headings` and `phrases` find what answers, among the shapes that `values` knows;
`colours` measures; `answers` puts it together.
"""

from __future__ import annotations

from firellava.reader.answers import Answer, answer
from firellava.reader.boxes import TextBox
from firellava.reader.prompts import last_question

__all__ = ["Answer", "TextBox", "answer", "last_question"]
