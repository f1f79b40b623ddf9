#!/usr/bin/env python3
"""The model of P2, P4 and Q7: a LightGBM regressor of 20 columns, made anew in each run.

    boosted.py FOLDER TREES LEAVES DEPTH        DEPTH is -1 for no limit

Writes `model.onnx` (input `x`), `model.txt` (LightGBM's own form), and `rows.f32`, the rows that it was trained on: 32-bit
floats in little-endian order. Prints JSON: how many rows and leaves there are.
"""

import json
import pathlib
import sys

import environment

WIDTH = 20
ROWS = 20_000
OPSET = 15


def rows_of(folder):
    import numpy as np

    return np.fromfile(folder / "rows.f32", "<f4").reshape(-1, WIDTH)


def main(folder, trees, leaves, depth):
    import numpy as np
    import onnxmltools
    from lightgbm import LGBMRegressor
    from onnxmltools.convert.common.data_types import FloatTensorType

    numbers = np.random.default_rng(1)
    x = numbers.normal(size=(ROWS, WIDTH)).astype(np.float32)
    y = x[:, 0] * x[:, 1] + np.sin(x[:, 2] * 2) + x[:, 3:9].sum(1) + (x[:, 9:] ** 2).sum(1) * 0.2
    y += numbers.normal(size=ROWS)
    model = LGBMRegressor(
        n_estimators=trees, num_leaves=leaves, max_depth=depth, learning_rate=0.05, min_child_samples=5, n_jobs=1, verbose=-1
    ).fit(x, y)
    exported = onnxmltools.convert_lightgbm(
        model, initial_types=[("x", FloatTensorType([None, WIDTH]))], target_opset=OPSET
    )
    (folder / "model.onnx").write_bytes(exported.SerializeToString())
    model.booster_.save_model(folder / "model.txt")
    x.tofile(folder / "rows.f32")
    leaves = sum(tree["num_leaves"] for tree in model.booster_.dump_model()["tree_info"])
    json.dump({"rows": ROWS, "leaves": leaves}, sys.stdout)


if __name__ == "__main__":
    environment.enter("boosted", environment.pinned())
    main(pathlib.Path(sys.argv[1]), *(int(argument) for argument in sys.argv[2:]))
