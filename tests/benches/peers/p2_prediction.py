#!/usr/bin/env python3
"""The peer of P2: the model in ONNX Runtime, on one thread.

    p2_prediction.py serve FOLDER       behind FastAPI and uvicorn (uvloop, httptools), one worker; prints its address
    p2_prediction.py engine FOLDER      by itself; prints JSON

FOLDER is what `boosted.py` has made. `engine` gives medians in seconds: `run` is `InferenceSession.run` of an array,
`bound` is `run_with_iobinding`, with input and output in memory that ONNX Runtime was told once: no array is read or made
in a call. What is left of Python was measured once, on a model of 30 us: the C API's own `Run`, called through ctypes,
took between 1 us less and as long.
"""

import json
import pathlib
import socket
import statistics
import sys
import time

import boosted
import environment

ONE_REPEATS = 3000
MANY_ROWS = 10_000
MANY_REPEATS = 5


def load(folder):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])


def serve(folder):
    import numpy as np
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    session = load(folder)
    names = [f"x{column}" for column in range(boosted.WIDTH)]
    app = FastAPI()

    class Asked(BaseModel):
        rows: list[dict[str, float]]

    class Prediction(BaseModel):
        value: float

    class Answered(BaseModel):
        predictions: list[Prediction]

    # Not `def`: a run is too short for FastAPI's pool of threads.
    @app.post("/predict")
    async def predict(asked: Asked) -> Answered:
        table = np.array([[row[name] for name in names] for row in asked.rows], np.float32)
        found = session.run(None, {"x": table})[0]
        return Answered(predictions=[Prediction(value=value) for value in found[:, 0].tolist()])

    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, loop="uvloop", http="httptools", log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


def median_seconds(call, repeats):
    for _ in range(repeats // 5):
        call()
    taken = []
    for _ in range(repeats):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def engine(folder):
    import numpy as np
    import onnxruntime

    session = load(folder)
    output = session.get_outputs()[0].name
    many = boosted.rows_of(folder)[:MANY_ROWS]
    one = many[:1].copy()
    bound = session.io_binding()
    bound.bind_cpu_input("x", one)
    room = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros((1, 1), np.float32))
    bound.bind_ortvalue_output(output, room)
    report = {
        "one_run_s": median_seconds(lambda: session.run(None, {"x": one}), ONE_REPEATS),
        "one_bound_s": median_seconds(lambda: session.run_with_iobinding(bound), ONE_REPEATS),
        "many_s": median_seconds(lambda: session.run(None, {"x": many}), MANY_REPEATS),
        "one": room.numpy().ravel().tolist(),
        "many": session.run(None, {"x": many})[0].ravel().tolist(),
    }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    environment.enter("boosted", environment.pinned())
    {"serve": serve, "engine": engine}[sys.argv[1]](pathlib.Path(sys.argv[2]))
