"""The largest file a browser may bring, kept while the bytes come in: a larger one never fills the disk."""

from dataclasses import dataclass

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat

_MARK = "HUB_UPLOAD_TOO_LARGE"


@dataclass(frozen=True, slots=True)
class Limit:
    bytes: int

    def __str__(self) -> str:
        return filesizeformat(self.bytes).replace("\xa0", " ")

    @property
    def refusal(self) -> str:
        return f"The file is larger than {self}. Split it, or load it on the server with manage.py ingest."


def limit() -> Limit:
    return Limit(settings.MAX_UPLOAD_BYTES)


class LimitedUpload(FileUploadHandler):
    """Stands before the handlers that keep what comes in. Of a file beyond the limit the rest is read and dropped, because
    a browser shows an answer only after it could send everything; the other fields of the form are read as ever."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        if start + len(raw_data) > limit().bytes:
            assert self.request is not None
            self.request.META[_MARK] = True
            raise SkipFile
        return raw_data

    def file_complete(self, file_size: int) -> UploadedFile | None:  # type: ignore[type-arg]  # not generic at run time
        return None


def was_exceeded(request: HttpRequest) -> bool:
    """Whether a file of this request was dropped because it is too large."""
    return _MARK in request.META
