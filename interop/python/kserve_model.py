"""KServe's own model server with a model of numpy's, on loopback: sums of rows, and their echo. Argument: the port."""

import sys

import numpy
from kserve import InferOutput, InferResponse, Model, ModelServer
from kserve.errors import InvalidInput
from kserve.protocol.rest.server import RESTServer
from kserve.utils.utils import get_predict_input, get_predict_response


class Credit(Model):
    def __init__(self):
        super().__init__("credit")
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None):
        if isinstance(payload, dict):
            rows = get_predict_input(payload)
            return get_predict_response(payload, numpy.asarray(rows).sum(axis=1), "credit")
        outputs = []
        for each in payload.inputs:
            values = each.as_numpy()
            if not values.size:
                raise InvalidInput("no rows")
            if values.dtype.kind == "f":
                outputs.append(output(f"{each.name}.sums", values.sum(axis=-1)))
            outputs.append(output(each.name, values))
        return InferResponse(
            payload.id, "credit", outputs,
            use_binary_outputs=payload.use_binary_outputs, requested_outputs=payload.request_outputs,
        )


def output(name, values):
    datatypes = {"f8": "FP64", "f4": "FP32", "f2": "FP16", "i8": "INT64", "i4": "INT32", "b1": "BOOL", "u1": "UINT8"}
    datatype = datatypes.get(values.dtype.str[1:], "BYTES")
    made = InferOutput(name, list(values.shape), datatype)
    made.set_data_from_numpy(values, binary_data=True)
    return made


async def start_on_loopback(server):
    """The server's own address is every interface's, and no option says otherwise."""
    server.config.host = "127.0.0.1"
    await start(server)


start, RESTServer.start = RESTServer.start, start_on_loopback

if __name__ == "__main__":
    ModelServer(http_port=int(sys.argv[1]), enable_grpc=False, workers=1).start([Credit()])
