#!/usr/bin/env python3
"""The peer of Q7: rows that `shap` explains a second, on one thread, by processor time.

    q7_shap.py FOLDER GAME BACKGROUND       GAME is interventional, path-dependent, probability or pred-contrib

FOLDER is what `boosted.py` has made; the background is the first BACKGROUND of its rows, and the last ones are explained.
Prints JSON: rows a second, and the first row's contributions.

shap's path-dependent game takes the training counts, because it refuses a background that does not come to every leaf;
its time does not depend on them. `pred-contrib` is LightGBM's own form of that game.
"""

import json
import pathlib
import sys
import time
import warnings

import boosted
import environment

# The rows that the bench explains.
SHOWN = 2000


def main(folder, game, count):
    import lightgbm
    import numpy as np

    booster = lightgbm.Booster(model_file=folder / "model.txt")
    x = boosted.rows_of(folder)
    background, shown = x[:count], x[-SHOWN:]
    if game == "pred-contrib":
        few = shown[:200]
        explain = lambda: booster.predict(few, pred_contrib=True, num_threads=1)[:, :-1]
    else:
        few = shown[: 40 if game == "path-dependent" else max(1, 500 // count)]
        explainer = explainer_of(booster, game, background)
        explain = lambda: explainer.shap_values(few, check_additivity=False)
    begun = time.process_time()
    values = explain()
    seconds = time.process_time() - begun
    json.dump({"rows_per_second": len(few) / seconds, "first": np.ravel(values[0]).tolist()}, sys.stdout)


def explainer_of(booster, game, background):
    import shap

    if game == "path-dependent":
        explainer = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")
        # Its own code, not LightGBM's.
        explainer.model.model_type = "internal"
        return explainer
    # shap takes 100 rows of a larger table without a word.
    masker = shap.maskers.Independent(background, max_samples=len(background))
    explainer = shap.TreeExplainer(booster, masker, feature_perturbation="interventional")
    if game == "probability":
        # The same work as for a classifier of these trees.
        explainer.model.model_output, explainer.model.tree_output = "probability", "log_odds"
    return explainer


if __name__ == "__main__":
    environment.enter("boosted", environment.pinned())
    warnings.filterwarnings("ignore")
    main(pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
