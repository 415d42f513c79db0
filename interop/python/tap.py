"""A relay on loopback that keeps what passes: every byte of every exchange, and when it came."""

import asyncio
import contextlib
import threading
import time
from dataclasses import dataclass, field

READ_BYTES_MAX = 65536
ANSWER_SECONDS_MAX = 10


@dataclass
class Message:
    """A request or an answer of HTTP/1.1, free of its transfer coding."""

    start: str
    headers: dict
    body: bytes
    is_whole: bool
    # Where it begins and ends among the bytes of its direction.
    begin: int
    end: int

    @property
    def status(self):
        return int(self.start.split()[1])

    @property
    def target(self):
        return self.start.split()[1]


@dataclass
class Direction:
    """What passed one way: the bytes, and after how many of them it was what time (monotonic, seconds)."""

    data: bytearray = field(default_factory=bytearray)
    times: list = field(default_factory=list)
    is_closed: bool = False
    # Where what no test has taken begins.
    new_from: int = 0

    def new(self):
        return messages(bytes(self.data), self.new_from, self.is_closed)


@dataclass
class Connection:
    asked: Direction = field(default_factory=Direction)
    answered: Direction = field(default_factory=Direction)

    def new(self):
        return [Exchange(asked, answered, self) for asked, answered in zip(self.asked.new(), self.answered.new())]

    def is_done(self):
        return self.answered.is_closed and not self.new()


@dataclass
class Exchange:
    """A request and the answer to it, and the connection that they passed on."""

    asked: Message
    answered: Message
    connection: Connection

    def take(self):
        """No test is to get it again."""
        self.connection.asked.new_from = self.asked.end
        self.connection.answered.new_from = self.answered.end

    def when(self, words):
        """When these words of the answer had passed (monotonic, seconds)."""
        passed = self.connection.answered
        end = passed.data.index(words, self.answered.begin) + len(words)
        return min(at for total, at in passed.times if total >= end)


class Tap:
    """The relay. It listens at `url`; `exchange` is the one that passed since it was last asked."""

    def __init__(self, port):
        self.upstream = ("127.0.0.1", port)
        self.connections = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def new(self):
        return [exchange for connection in list(self.connections) for exchange in connection.new()]

    def skip(self):
        """What has passed so far is of no interest."""
        for exchange in self.new():
            exchange.take()
        self.connections = [connection for connection in self.connections if not connection.is_done()]

    def exchange(self):
        """The one exchange that passed since; waits until its answer is whole or has broken off."""
        give_up = time.monotonic() + ANSWER_SECONDS_MAX
        while True:
            new = self.new()
            if new and (new[0].answered.is_whole or new[0].connection.answered.is_closed):
                break
            assert time.monotonic() < give_up, f"no answer passed: {new}"
            time.sleep(0.01)
        assert len(new) == 1, [each.asked.start for each in new]
        new[0].take()
        return new[0]

    async def relay(self, reader, writer):
        connection = Connection()
        self.connections.append(connection)
        up_reader, up_writer = await asyncio.open_connection(*self.upstream)
        await asyncio.gather(
            pump(reader, up_writer, connection.asked), pump(up_reader, writer, connection.answered)
        )


async def pump(reader, writer, direction):
    """Passes on until the end; a broken connection breaks the other one."""
    try:
        while data := await reader.read(READ_BYTES_MAX):
            direction.data += data
            direction.times.append((len(direction.data), time.monotonic()))
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()
    finally:
        direction.is_closed = True


@contextlib.contextmanager
def tapping(port):
    """A tap before this port, until the block ends."""
    tap = Tap(port)
    with listening(tap.relay) as tap.port:
        yield tap


@contextlib.contextmanager
def listening(handler):
    """Serves connections with an asyncio handler, on a thread of its own; enters with the port."""
    loop, stop, started = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    ports = []

    async def connected(reader, writer):
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await handler(reader, writer)
        writer.close()

    async def serve():
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        started.set()
        await stop.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    started.wait()
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def messages(data, begin, is_closed):
    """The messages that the bytes of one direction are, from `begin` on."""
    length_in_all, data = len(data), data[begin:]
    while data:
        begin = length_in_all - len(data)
        head, found, rest = data.partition(b"\r\n\r\n")
        if not found:
            return
        start, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        is_answer = start.startswith("HTTP/")
        if is_answer and start.split()[1].startswith("1"):
            data = rest
            continue
        if headers.get("transfer-encoding", "").lower() == "chunked":
            body, is_whole, data = dechunked(rest)
        elif "content-length" in headers or not is_answer:
            length = int(headers.get("content-length", "0"))
            body, is_whole, data = rest[:length], len(rest) >= length, rest[length:]
        else:
            body, is_whole, data = rest, is_closed, b""
        yield Message(start, headers, body, is_whole, begin, length_in_all - len(data))
        if not is_whole:
            return


def dechunked(data):
    """The body, whether it is whole, and what follows it."""
    body = b""
    while True:
        size, found, rest = data.partition(b"\r\n")
        if not found:
            return body, False, b""
        length = int(size.split(b";")[0], 16)
        if length == 0:
            # Trailers end with an empty line, as a head does.
            trailers, found, after = (b"\r\n" + rest).partition(b"\r\n\r\n")
            return body, bool(found), after
        if len(rest) < length + 2:
            return body + rest[:length], False, b""
        body, data = body + rest[:length], rest[length + 2 :]
