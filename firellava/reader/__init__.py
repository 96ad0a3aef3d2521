"""The offline reader: questions about images, answered from the text in them.

It reads an image with an OCR engine whose weights come with its package, finds the line or the field that
answers, and quotes it. It also tells the colours and the size of an image. It does not understand scenes, and
says so when asked. It knows nothing of backends, HTTP or frameworks.

The way of a question: `prompts` finds it in what the framework sent; `questions` tells what it asks for, with
the patterns of `wording`, the fields of `vocabulary` and `people`, and the limits of `beyond`. `engine` reads
the image into `boxes`; `layout` arranges them in rows and columns, `entries` tells labels from values with
`labels` and `tables`, and `passages` makes sentences. `quoting` sends the question to the finder for its kind
(`fields`, `totals`, `issuers`, `headings`, `lists`, `lookup`, `standalone`, `phrases`), which look for the
shapes that `values` knows and weigh the question's words with `relevance` and `words`. `colours` measures,
`languages` counts words, `confidence` makes a probability of how well something fits, and `answers` puts it
together.
"""

from __future__ import annotations

from firellava.reader.answers import Answer, Quotation, answer
from firellava.reader.boxes import TextBox
from firellava.reader.prompts import last_question

__all__ = ["Answer", "Quotation", "TextBox", "answer", "last_question"]
