"""From any image a user has to a correct, safe, small image on the wire.

`ImageSource` says where an image is, which page and which part of it; `prepare_image` makes the picture a
model will see; `inline_image` one to keep inside a message; `decode_image` gives pixels to backends in this
process; `describe_metadata` passes chosen EXIF facts through the prompt.
"""

from firellava.images.decode import decode_image
from firellava.images.inline import inline_image
from firellava.images.metadata import describe_metadata
from firellava.images.prepare import PreparedImage, prepare_image
from firellava.images.source import ImageInput, ImageSource

__all__ = [
    "ImageInput",
    "ImageSource",
    "PreparedImage",
    "decode_image",
    "describe_metadata",
    "inline_image",
    "prepare_image",
]
