#!/usr/bin/env python3
"""Q7: rows explained a second, ours against shap, in turns, one thread each, by processor time.

    q7_shap.py PROGRAM [TREES DEPTH BACKGROUND]...      PROGRAM is the built example q7_shap

Models: LightGBM, 500 trees of depth 6 (64 leaves at most), 20 columns; from a depth of 12 on, 600 leaves at most. shap's path-dependent game takes the training counts,
because it refuses a background that does not come to every leaf; its time does not depend on them. LightGBM's own
`pred_contrib` is shown beside it. Versions as in tests/fixtures/shap_values.py.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import onnxmltools
import shap
from lightgbm import LGBMRegressor
from onnxmltools.convert.common.data_types import FloatTensorType

WIDTH, TURNS = 20, 3


def train(trees, depth):
    numbers = np.random.default_rng(1)
    x = numbers.normal(size=(20_000, WIDTH)).astype(np.float32)
    y = x[:, 0] * x[:, 1] + np.sin(x[:, 2] * 2) + x[:, 3:9].sum(1) + (x[:, 9:] ** 2).sum(1) * 0.2 + numbers.normal(size=len(x))
    limits = dict(num_leaves=2 ** depth, max_depth=depth) if depth < 12 else dict(num_leaves=600, max_depth=depth)
    model = LGBMRegressor(n_estimators=trees, learning_rate=0.05, min_child_samples=5, n_jobs=1, verbose=-1, **limits)
    model.fit(x, y)
    return model, x


def ours(program, folder, background, rows, game, *more):
    files = []
    for name, table in (("background", background), ("rows", rows)):
        table.astype("<f4").tofile(folder / name)
        files.append(folder / name)
    command = [program, folder / "model.onnx", *files, str(WIDTH), game, "3", *more]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def measured(explain):
    begin = time.process_time()
    values = explain()
    return time.process_time() - begin, values


def compare(program, trees, depth, counts):
    model, x = train(trees, depth)
    leaves = sum(tree["num_leaves"] for tree in model.booster_.dump_model()["tree_info"])
    exported = onnxmltools.convert_lightgbm(model, initial_types=[("x", FloatTensorType([None, WIDTH]))], target_opset=15)
    many = x[-2000:]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "model.onnx").write_bytes(exported.SerializeToString())
        for count in counts:
            for game in ("interventional", "probability", "path-dependent"):
                shown = many[:40] if depth >= 12 else many[:200] if game == "probability" else many
                row = turn(program, folder, model, (x[:count], shown), game)
                print(f"| {trees} trees, {leaves} leaves, depth {depth} | {game} | {count} |", row, flush=True)
    seconds, _ = measured(lambda: model.predict(many[:200], pred_contrib=True, num_threads=1))
    print(f"| {trees} trees, {leaves} leaves, depth {depth} | LightGBM's pred_contrib | | {200 / seconds:.0f} | | | | | |")


def turn(program, folder, model, tables, game):
    background, many = tables
    # shap takes 100 rows of a larger table without a word.
    masker = shap.maskers.Independent(background, max_samples=len(background))
    by_counts = game == "path-dependent"
    by_shap = shap.TreeExplainer(model, None if by_counts else masker,
                                 feature_perturbation="tree_path_dependent" if by_counts else "interventional")
    if by_counts:
        # Its own code, not LightGBM's.
        by_shap.model.model_type = "internal"
    if game == "probability":
        # The same work as for a classifier of these trees.
        by_shap.model.model_output, by_shap.model.tree_output = "probability", "log_odds"
    few = many[:40 if by_counts else max(1, 500 // len(background))]
    peers, owns, singles = [], [], []
    for _ in range(TURNS):
        seconds, values = measured(lambda: by_shap.shap_values(few, check_additivity=False))
        peers.append(len(few) / seconds)
        found = ours(program, folder, background, many, game)
        owns.append(len(many) / np.median(found["taken"]))
        singles.append(np.median(ours(program, folder, background, many[:1], game)["taken"]))
        if not by_counts:
            worst = np.abs(np.array(found["first"]) - np.ravel(values[0])).max() / np.abs(values[0]).sum()
            assert worst < 1e-5, worst
    peer, own = np.median(peers), np.median(owns)
    return (f"{peer:.1f} | {own:.0f} | {own / peer:.1f} | {found['ready']:.2f} s | {found['tables'] / 1e6:.0f} MB "
            f"| {np.median(singles) * 1e3:.2f} ms |")


def main():
    warnings.filterwarnings("ignore")
    program = pathlib.Path(sys.argv[1]).resolve()
    print("| model | game | background | shap, rows/s | ours, rows/s | ratio | ready | tables | one row |")
    print("|---|---|---|---|---|---|---|---|---|")
    wanted = [int(argument) for argument in sys.argv[2:]] or [500, 6, 100, 500, 6, 1000]
    for trees, depth, count in zip(wanted[::3], wanted[1::3], wanted[2::3]):
        compare(program, trees, depth, [count])


if __name__ == "__main__":
    main()
