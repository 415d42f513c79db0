"""Triton's own client, as a program: it and MLServer declare the same protobuf messages, and one process holds only one.

Arguments: the server's address, the model, an id, the rows as JSON. Prints what came back as JSON."""

import json
import sys

import numpy
import tritonclient.grpc as triton

address, model, id, rows = sys.argv[1:]
rows = numpy.array(json.loads(rows))
client = triton.InferenceServerClient(address)
told = {"live": client.is_server_live(), "metadata": client.get_model_metadata("credit", as_json=True)}
features = triton.InferInput("features", list(rows.shape), "FP64")
features.set_data_from_numpy(rows)
outputs = [triton.InferRequestedOutput("predict"), triton.InferRequestedOutput("predict_proba")]
try:
    answer = client.infer(model, [features], request_id=id, outputs=outputs, parameters={"threshold": "0.7"})
    told["answer"] = {name: answer.as_numpy(name).tolist() for name in ("predict", "predict_proba")}
    told["id"], told["version"] = answer.get_response().id, answer.get_response().model_version
except triton.InferenceServerException as error:
    told["error"] = {"status": error.status(), "message": error.message()}
print(json.dumps(told))
