"""What an agent may look at: images that a model names by a text it writes.

Such a text may come from anywhere: a web page that the model has read, a message of a stranger. So it never
opens what the developer has not allowed: an image that was registered, a file in a folder, a URL of a host.
Everything else is refused with an error that a model can act on, and that says nothing about this machine.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import httpx

from firellava.errors import (
    ConfigurationError,
    ImageError,
    ImageTooLarge,
    InvalidRequest,
    MissingExtra,
    UnreadableImage,
    UnsafeURL,
    UnsupportedFormat,
)
from firellava.images import ImageSource
from firellava.images.decode import open_image
from firellava.images.fetch_policy import FetchPolicy, check_url
from firellava.images.files import as_folders, quote_path, read_image_file

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from firellava.images import ImageInput

__all__ = ["ImageReferences", "ReferredImage"]

_ID: Final = re.compile(r"\w[\w.-]{0,63}")
_WEB: Final = re.compile(r"https?:", re.IGNORECASE)
_HOST: Final = re.compile(r"[^\s/?#@:*\\]+|\[[0-9a-f:.]+\]", re.IGNORECASE)
_LISTED: Final = 20
"""How many ids or hosts a model is told by name; more would fill its prompt."""


@dataclass(frozen=True, slots=True)
class ReferredImage:
    """An image that a model named, and that it may look at.

    Attributes:
        reference: the text that named it.
        source: the image, its bytes in memory; of an image on the web its URL. Messages call it as the model
            did.
        registered: whether it is one that the developer registered.
        mime_type: by its content; None for an image on the web and for pixels.
        size: width and height in pixels, upright; None for an image on the web.
    """

    reference: str
    source: ImageSource
    registered: bool
    mime_type: str | None = None
    size: tuple[int, int] | None = None

    @property
    def content_hash(self) -> str | None:
        """``sha256-`` and the hash of what was given, all its pages; None for an image on the web."""
        return self.source.content_hash

    def as_dict(self) -> dict[str, Any]:
        """What is known about the image, as plain JSON values, without its bytes."""
        return {
            "reference": self.reference,
            "content_hash": self.content_hash,
            "mime_type": self.mime_type,
            "size": None if self.size is None else list(self.size),
        }


class ImageReferences:
    """The images an agent may look at, and the texts it names them by.

        images = ImageReferences(image_roots="photos", allowed_hosts=["*.example.com"])
        images.add("receipt.jpg", "receipt")
        images.resolve("receipt")           # the registered image
        images.resolve("2026/beach.jpg")    # photos/2026/beach.jpg
        images.resolve("https://img.example.com/a.png")

    A text is the id of a registered image; else, if it begins with ``http:`` or ``https:``, a URL; else a
    path. By default nothing is allowed but what is registered. Images may be registered at any time, from any
    thread. Whoever shares this object shares the images: give each user of a service one of their own.

    A URL is passed on to a model's server where that takes URLs, and what it redirects to is then up to that
    server. Downloads from here are held to the allowed hosts (`fetch_policy`): so the model's setting
    ``image_urls="inline"`` holds redirects to them too.

    Args:
        registered: images by their ids; more come with `add`.
        image_roots: the folder or folders whose files may be looked at. A relative path is looked for in each
            of them in turn. A file counts as where it lies once all links are followed.
        allowed_hosts: the host or hosts whose URLs may be looked at. ``example.com`` is that host alone and
            ``*.example.com`` every host whose name ends in ``.example.com``, as in a Content Security Policy.

    Raises:
        ConfigurationError: an allowed host is none.
        FireLLaVAError: from `add`.
    """

    def __init__(
        self,
        registered: Mapping[str, ImageInput] | None = None,
        *,
        image_roots: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
        allowed_hosts: str | Iterable[str] = (),
    ) -> None:
        self._roots = as_folders(image_roots)
        hosts = [allowed_hosts] if isinstance(allowed_hosts, str) else allowed_hosts
        self._hosts = frozenset(_checked_host(host) for host in hosts)
        # With the hash of each. Nothing in it is replaced, and single operations of a dict are atomic.
        self._registered: dict[str, tuple[ImageSource, str]] = {}
        for image_id, image in (registered or {}).items():
            self.add(image, image_id)

    def __repr__(self) -> str:
        return f"ImageReferences({len(self._registered)} registered, {self.forms})"

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the registered images, in the order of their registration."""
        return tuple(self._registered.copy())

    def add(self, image: ImageInput, image_id: str | None = None) -> str:
        """Register an image that may be looked at, whatever it is and wherever it lies.

        It is opened now, so that what is no image is not registered; a file is read again when it is looked
        at. A URL is not opened.

        Args:
            image: a path, bytes, a Pillow image, a URL, an `ImageSource`, …
            image_id: what a model calls it: up to 64 letters, digits, ``_``, ``-`` and ``.``, the first of
                them no ``-`` or ``.``. By default ``image-`` and the beginning of a hash of its content, the
                same for the same image.

        Returns:
            its id.

        Raises:
            ImageError: it is no image, or none that is opened.
            MissingExtra: HEIF or PDF, and what opens it is not installed.
            InvalidRequest: the id is malformed, or another image has it.
        """
        source = ImageSource.of(image)
        loaded = source.load()
        if not loaded.is_url:
            open_image(loaded)
        digest = loaded.sha256 or hashlib.sha256(str(loaded.url).encode()).hexdigest()
        if image_id is not None and not _ID.fullmatch(image_id):
            raise InvalidRequest(
                f"{quote_path(image_id)} is no id for an image: take up to 64 letters, digits, '_', '-' and "
                "'.', beginning with a letter, a digit or '_'."
            )
        # By chance another image may have the same first digits.
        ids = [image_id] if image_id is not None else [f"image-{digest[:count]}" for count in range(8, 65, 8)]
        for one in ids:
            _, taken_by = self._registered.setdefault(one, (source, digest))
            if taken_by == digest:
                return one
        raise InvalidRequest(f"Another image is registered as {image_id!r}: choose another id.")

    @property
    def forms(self) -> str:
        """The texts that name an image at present, in words for a model: "by its id ('receipt', 'logo')"."""
        forms = []
        if ids := self.ids:
            forms.append(f"its id{_listed(ids)}")
        if self._roots:
            forms.append("its path inside the image folder, such as 'folder/photo.jpg'")
        if self._hosts:
            forms.append(f"its URL at an allowed host{_listed(sorted(self._hosts))}")
        return f"by {', or by '.join(forms)}" if forms else "by its id (there is none yet)"

    def resolve(self, reference: str) -> ReferredImage:
        """The image that a text names. A file is read; nothing is downloaded.

        Args:
            reference: what a model wrote.

        Raises:
            ImageError: there is no such image, it may not be looked at, or it is none. Whether a file that
                may not be looked at exists is not told. The message holds what the model may write instead.
        """
        reference = reference.strip()
        if reference in self._registered:
            source, _ = self._registered[reference]
            return _opened(reference, _reloaded(reference, source), registered=True)
        if _WEB.match(reference):
            return ReferredImage(reference, self._web_image(reference), registered=False)
        return _opened(reference, self._file(reference), registered=False)

    def fetch_policy(self, policy: FetchPolicy | None, images: Iterable[ReferredImage]) -> FetchPolicy | None:
        """What may be downloaded for a question about some images.

        A host that may be looked at may point to one that may not. Where a model wrote a URL, redirects are
        held to the allowed hosts, and to those of registered images that are asked about beside it.

        Args:
            policy: what may be downloaded otherwise; None for the default.
            images: what the question is about.
        """
        urls = [image for image in images if image.source.is_url]
        if all(image.registered for image in urls):
            return policy
        theirs = {httpx.URL(str(image.source.url)).raw_host.decode("ascii") for image in urls}
        return (policy or FetchPolicy()).narrowed_to(self._hosts | {host.rstrip(".") for host in theirs})

    def _web_image(self, reference: str) -> ImageSource:
        try:
            url = check_url(reference, FetchPolicy(allowed_hosts=self._hosts, allow_http=True))
            # As it was understood here: others may read the same characters as another host.
            return ImageSource.from_url(str(url))
        except ImageError:
            shown = quote_path(re.split(r"[?#]", reference)[0])
            raise UnsafeURL(f"The URL {shown} may not be looked at. {self._advice}") from None

    def _file(self, reference: str) -> ImageSource:
        for root in self._roots:
            try:
                data = read_image_file(root / reference, self._roots)
                source = ImageSource.from_bytes(data)
            except ImageTooLarge:
                raise ImageTooLarge(f"The file {quote_path(reference)} has too many bytes.") from None
            except ImageError:  # its text names the folder, and whether there is a file outside
                continue
            return replace(source, name=quote_path(reference))
        raise UnreadableImage(f"There is no image {quote_path(reference)}. {self._advice}")

    @property
    def _advice(self) -> str:
        return f"Name an image {self.forms}."


def _reloaded(image_id: str, source: ImageSource) -> ImageSource:
    try:
        loaded = source.load()
    except ImageError:  # its text names the file
        raise UnreadableImage(f"The image {image_id!r} is no longer there.") from None
    return loaded if loaded.is_url else replace(loaded, name=f"The image {image_id!r}")


def _opened(reference: str, source: ImageSource, *, registered: bool) -> ReferredImage:
    if source.is_url:
        return ReferredImage(reference, source, registered)
    try:
        opened = open_image(source)
    except MissingExtra as error:
        raise UnsupportedFormat(
            f"{source.name} is of a format that cannot be opened here: {error}."
        ) from None
    return ReferredImage(reference, source, registered, opened.mime_type, opened.size)


def _listed(names: Sequence[str]) -> str:
    if len(names) > _LISTED:
        return f" ({len(names):,} of them)"
    return f" ({', '.join(map(repr, names))})"


def _checked_host(host: str) -> str:
    """A host as URLs have it: ASCII, in lower case.

    Raises:
        ConfigurationError: it is a URL, has a port, or is no host.
    """
    wildcard, name = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    try:
        if _HOST.fullmatch(name):
            url = check_url(f"https://{name.removesuffix('.')}", FetchPolicy())
            return wildcard + url.raw_host.decode("ascii")
    except UnsafeURL:
        pass
    raise ConfigurationError(
        f"allowed_hosts: {quote_path(host)} is no host: write 'example.com' or '*.example.com', without "
        "scheme, port or path."
    )
