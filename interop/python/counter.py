"""A model that answers in parts: it counts to the number in its input, and fails at 13."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.errors import InferenceError
from mlserver.types import InferenceRequest, InferenceResponse
import numpy


class Counter(MLModel):
    async def predict_stream(self, payloads):
        async for payload in payloads:
            for number in range(1, int(NumpyCodec.decode_input(payload.inputs[0]).ravel()[0]) + 1):
                if number == 13:
                    raise InferenceError("13 is not counted")
                outputs = [NumpyCodec.encode_output("number", numpy.array([[number]]))]
                yield InferenceResponse(
                    id=payload.id, model_name=self.name, model_version=self.version, outputs=outputs
                )
