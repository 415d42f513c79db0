"""Requests to MLServer 1.7.1 and what it answers to each, as observed. The answers are not all what the protocol says."""

import json
from dataclasses import dataclass

INFER = "/v2/models/credit/infer"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Case:
    """One request and the outside of its answer."""

    name: str
    body: bytes
    status: int = 200
    # The members that MLServer's answer has at its top; None where it is no JSON object.
    members: frozenset | None = frozenset({"model_name", "model_version", "id", "parameters", "outputs"})
    answer_type: str | None = JSON
    path: str = INFER
    method: str = "POST"
    content_type: str | None = JSON
    # The id that the answer bears; None where the server mints one.
    id: str | None = None
    # What the gateway does with it: records a decision, passes it on as none, or refuses what no route records.
    gateway: str = "records"
    # Whether the gateway can read the request as the protocol says; else its record is partial, and has the bytes.
    readable: bool = True

    def headers(self):
        return {"content-type": self.content_type} if self.content_type else {}


def body(data=(1.0, 2.0, -3.0, 4.0), shape=(1, 4), datatype="FP64", **members):
    tensor = {"name": "features", "shape": shape, "datatype": datatype, "data": data}
    return json.dumps({"inputs": [tensor], **members}).encode()


ERROR = frozenset({"error"})
DETAIL = frozenset({"detail"})
BOTH = [{"name": "predict"}, {"name": "predict_proba"}]

ANSWERED = [
    Case("with an id", body(id="application-17"), id="application-17"),
    Case("without an id", body()),
    Case("two rows, two outputs", body((1.0, 2.0, -3.0, 4.0, 0.5, 0.25, 8.0, 0.0), (2, 4), outputs=BOTH)),
    Case("nested data", body([[1.0, 2.0, -3.0, 4.0]])),
    Case("with parameters", body(parameters={"threshold": 0.7, "content_type": "np"})),
    Case("by version", body(id="v"), path="/v2/models/credit/versions/v0.1.0/infer", id="v"),
    # FastAPI reads a body of no declared type as JSON, but one that says text/plain as a string (below).
    Case("no content type", body(id="untyped"), content_type=None, id="untyped"),
    # Spaces and the order of members are the caller's: the record keeps the bytes.
    Case(
        "odd spacing",
        b'{ "inputs" :[ {"data":[1,2,3,4e0],"shape":[1,4],\n"name":"x","datatype":"FP32"}],"id":"odd"}',
        id="odd",
    ),
    Case("an answer over 500 bytes, which MLServer compresses", body([0.5] * 800, (200, 4))),
]

REFUSED = [
    Case("unknown model", body(), 404, ERROR, path="/v2/models/nobody/infer"),
    Case("unknown version", body(), 404, ERROR, path="/v2/models/credit/versions/v9/infer"),
    Case("unknown output", body(outputs=[{"name": "shap"}]), 400, ERROR),
    Case("no tensor", b'{"inputs":[]}', 400, ERROR),
    # What the protocol calls an error is a validation error of FastAPI's, with its own shape.
    Case("unknown datatype", body(datatype="FLOAT"), 422, DETAIL),
    Case("cut off JSON", b'{"inputs":[{"name":"x"', 422, DETAIL, readable=False),
    Case("not UTF-8", b"\xff\xfe", 422, DETAIL, readable=False),
    Case("not a number", b'{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP64","data":[NaN]}]}', 422, DETAIL, readable=False),
    Case("no inputs", b"{}", 422, DETAIL, readable=False),
    Case("empty body", b"", 422, DETAIL, readable=False),
    Case("declared as text", body(), 422, DETAIL, content_type="text/plain"),
    # What the model raises is not caught: plain text, and the reason only in the server's own log.
    Case("three features for four", body((1.0, 2.0, 3.0), (1, 3)), 500, None, TEXT),
    Case("data that contradicts its shape", body((1.0, 2.0, 3.0), (1, 4)), 500, None, TEXT),
    Case("text for numbers", body(("a", "b", "c", "d"), datatype="BYTES"), 500, None, TEXT),
    Case("null for a number", body((1.0, 2.0, 3.0, None)), 500, None, TEXT),
    # KServe's version 1 is not spoken, and a wrong method or a slash too many is the framework's own answer.
    Case("KServe v1", b'{"instances":[[1,2,3,4]]}', 404, DETAIL, path="/v1/models/credit:predict"),
    Case("wrong method", b"", 405, DETAIL, method="GET", content_type=None, gateway="passes"),
    Case("slash at the end", body(), 307, None, None, path=INFER + "/", gateway="refuses"),
]

CASES = ANSWERED + REFUSED
