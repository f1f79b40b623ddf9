#!/usr/bin/env python3
"""The peer of P4: a table by pandas, LightGBM's own predict on two threads, and the answers by pandas.

    p4_batch.py FOLDER OURS

FOLDER has `model.txt` and `table.csv`; `peer.csv` is written there. OURS is the file of results that the answers are
compared with, after the time is taken. Prints JSON: seconds of each step, and the share of rows whose answers differ.
"""

import json
import pathlib
import sys
import time

import environment

THREADS = 2
# An ONNX file has 32-bit floats: answers differ by rounding, and where a value lies between the two forms of a split.
TOLERANCE = 1e-4


def main(folder, ours):
    import lightgbm
    import numpy as np
    import pandas as pd

    booster = lightgbm.Booster(model_file=folder / "model.txt")
    times = [time.perf_counter()]
    table = pd.read_csv(folder / "table.csv")
    times.append(time.perf_counter())
    found = booster.predict(table, num_threads=THREADS)
    times.append(time.perf_counter())
    pd.DataFrame({"row": range(1, len(table) + 1), "prediction": found}).to_csv(folder / "peer.csv", index=False)
    times.append(time.perf_counter())
    other = pd.read_csv(ours)["prediction"]
    if len(other) != len(found):
        sys.exit(f"p4: {ours} has {len(other)} rows, and {len(found)} are expected")
    differing = np.abs(other - found) > TOLERANCE * np.maximum(1, np.abs(found))
    steps = {name: end - begin for name, begin, end in zip(["read_s", "predict_s", "write_s"], times, times[1:])}
    json.dump(steps | {"seconds": times[-1] - times[0], "differing": float(differing.mean())}, sys.stdout)


if __name__ == "__main__":
    environment.enter("boosted", environment.pinned())
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
