"""A server on loopback that answers as a transcript says: whole, in pieces, slowly, compressed, or only its beginning."""

import asyncio
import contextlib
import gzip
import http
import zlib
from dataclasses import dataclass

import brotli

from tap import READ_BYTES_MAX, listening, messages
from transcripts import Transcript

# What concerns the connection is the server's own.
PASSING = {"content-length", "transfer-encoding", "connection", "content-encoding"}
CODINGS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}


@dataclass(frozen=True)
class Answer:
    """A transcript's answer, and the way it is sent."""

    transcript: Transcript
    # Bytes a write; None for all at once.
    piece_bytes: int | None = None
    # Between writes.
    delay_seconds: float = 0
    # After so many bytes of the body the connection breaks.
    cut_at: int | None = None
    # How the body's end is told: `chunked`, `length`, or `close`.
    framing: str = "chunked"
    coding: str | None = None

    def body(self):
        return CODINGS[self.coding](self.transcript.response) if self.coding else self.transcript.response

    def pieces(self):
        body = self.body()[: self.cut_at]
        size = self.piece_bytes or max(len(body), 1)
        return [body[at : at + size] for at in range(0, len(body), size)]

    def head(self):
        status = self.transcript.status
        lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase if status in STATUSES else ''}"]
        headers = self.transcript.response_headers.items()
        lines += [f"{name}: {value}" for name, value in headers if name.lower() not in PASSING]
        # Who passes an answer without a date on must add one.
        lines.append("date: Sun, 22 Nov 2026 12:00:00 GMT")
        if self.coding:
            lines.append(f"content-encoding: {self.coding}")
        ends = {"chunked": "transfer-encoding: chunked", "length": f"content-length: {len(self.body())}"}
        lines.append(ends.get(self.framing, "connection: close"))
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


STATUSES = {status.value for status in http.HTTPStatus}


class Replay:
    """The server: every request is answered with `answer`, whatever it says."""

    answer: Answer

    async def serve(self, reader, writer):
        data = b""
        while received := await reader.read(READ_BYTES_MAX):
            data += received
            if any(message.is_whole for message in messages(data, 0, False)):
                data = b""
                if not await self.send(writer, self.answer):
                    return

    async def send(self, writer, answer):
        """Whether the connection goes on."""
        writer.write(answer.head())
        is_chunked = answer.framing == "chunked"
        for piece in answer.pieces():
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)
            await writer.drain()
            await asyncio.sleep(answer.delay_seconds)
        if answer.cut_at is not None:
            writer.transport.abort()
            return False
        if is_chunked:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return answer.framing != "close"


@contextlib.contextmanager
def replaying():
    """Serves until the block ends."""
    replay = Replay()
    with listening(replay.serve) as replay.port:
        yield replay
