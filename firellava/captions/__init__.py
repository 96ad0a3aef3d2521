"""Captions of many images, for search: each image described once, whatever goes wrong with the others.

`Captioner` asks for them, one or any number at a time; `Caption` is what is known of an image afterwards,
`CaptionFailed` one that could not be described. `MemoryCaptionCache` and `DiskCaptionCache` keep captions, so
that an image is paid for once. Frameworks make their documents and nodes of these.
"""

from firellava.captions.cache import CaptionCache, MemoryCaptionCache
from firellava.captions.caption import Caption, CaptionFailed
from firellava.captions.captioner import DEFAULT_PROMPT, Asker, Captioner
from firellava.captions.disk_cache import DiskCaptionCache

__all__ = [
    "DEFAULT_PROMPT",
    "Asker",
    "Caption",
    "CaptionCache",
    "CaptionFailed",
    "Captioner",
    "DiskCaptionCache",
    "MemoryCaptionCache",
]
