"""A model for MLServer that takes its time."""

import asyncio

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Sleeper(MLModel):
    """Answers with the seconds that it was asked to sleep."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        seconds = NumpyCodec.decode_input(payload.inputs[0])
        await asyncio.sleep(float(seconds[0, 0]))
        output = NumpyCodec.encode_output("slept", seconds)
        return InferenceResponse(model_name=self.name, model_version=self.version, id=payload.id, outputs=[output])
