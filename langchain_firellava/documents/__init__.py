"""Pictures as Documents that can be searched, and what was found as a question about the pictures."""

from langchain_firellava.documents.blob_pages import FailedImage
from langchain_firellava.documents.captions import ImageCaptionLoader, ImageCaptionParser
from langchain_firellava.documents.message import ImageNotShownWarning, documents_to_message

__all__ = [
    "FailedImage",
    "ImageCaptionLoader",
    "ImageCaptionParser",
    "ImageNotShownWarning",
    "documents_to_message",
]
