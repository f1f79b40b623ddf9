#!/usr/bin/env python3
"""The demo's model: the grade of a lot of turmeric, from what the laboratory measures and where it comes from.

    make.py               writes turmeric-grade.onnx and turmeric-grade.json beside itself

scikit-learn 1.6.1, skl2onnx 1.20.0, onnx 1.23.2, onnxruntime 1.31.1, pandas 3.1.1. The lots are made up: the rule that
grades them, and some noise, are below. What is expected of the sample is ONNX Runtime's answer.
"""

import json
import pathlib

import numpy as np
import onnx
import onnxruntime
import pandas
from skl2onnx import to_onnx
from skl2onnx.common import _container as container
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

HERE = pathlib.Path(__file__).parent
NUMBERS = ["moisture_percent", "curcumin_percent", "foreign_matter_percent", "finger_length_mm"]
ORIGINS = ["Salem", "Nizamabad", "Sangli", "Erode"]


def make_node(operator, inputs, outputs, **attributes):
    """skl2onnx 1.20 gives truth values where onnx 1.23 takes whole numbers alone."""
    whole = lambda item: int(item) if isinstance(item, (bool, np.bool_)) else item
    attributes = {name: [whole(one) for one in item] if isinstance(item, list) else item
                  for name, item in attributes.items()}
    return onnx.helper.make_node(operator, inputs, outputs, **attributes)


container.make_node = make_node
numbers = np.random.default_rng(2026)
LOTS = 1_000
lots = pandas.DataFrame({
    "moisture_percent": numbers.uniform(6, 14, LOTS).round(1),
    "curcumin_percent": numbers.uniform(1.5, 6, LOTS).round(2),
    "foreign_matter_percent": numbers.exponential(0.8, LOTS).round(2),
    "finger_length_mm": numbers.uniform(20, 70, LOTS).round(0),
    "origin": numbers.choice(ORIGINS, LOTS),
})
score = (lots.curcumin_percent - 0.4 * (lots.moisture_percent - 10).clip(lower=0) - lots.foreign_matter_percent
         + 0.01 * (lots.finger_length_mm - 45) + 0.3 * (lots.origin == "Salem") + 0.2 * numbers.normal(size=LOTS))
grade = np.array(["C", "B", "A"])[np.digitize(score, [1.8, 3.2])]

columns = ColumnTransformer([("numbers", "passthrough", NUMBERS),
                             ("origin", OneHotEncoder(handle_unknown="ignore"), ["origin"])])
forest = RandomForestClassifier(16, max_depth=5, random_state=4)
model = make_pipeline(columns, forest).fit(lots[:800], grade[:800])
types = [(name, FloatTensorType([None, 1])) for name in NUMBERS] + [("origin", StringTensorType([None, 1]))]
exported = to_onnx(model, initial_types=types, target_opset={"": 17, "ai.onnx.ml": 3}, options={"zipmap": True})
(HERE / "turmeric-grade.onnx").write_bytes(exported.SerializeToString())

sample = lots[800:805]
feed = {name: sample[[name]].to_numpy(np.float32) for name in NUMBERS} | {"origin": sample[["origin"]].to_numpy(object)}
session = onnxruntime.InferenceSession(exported.SerializeToString(), providers=["CPUExecutionProvider"])
labels, probabilities = session.run(None, feed)
ranges = {"moisture_percent": (0, 100), "curcumin_percent": (0, 100), "foreign_matter_percent": (0, 100),
          "finger_length_mm": (1, 300)}
described = {
    "signature": {"inputs": [
        *({"name": name, "range": {"min": low, "max": high}} for name, (low, high) in ranges.items()),
        {"name": "origin", "categories": ORIGINS, "unknown": "pass"}]},
    "sample": {
        "rows": sample.to_dict("records"),
        "expected": [{"label": str(label), "probabilities": {name: round(float(share), 7) for name, share in row.items()}}
                     for label, row in zip(labels, probabilities)]},
    "background": {"rows": lots[:50].to_dict("records")},
    "metrics": {"accuracy": round(float(model.score(lots[800:], grade[800:])), 4)},
    "lineage": {"data": "1,000 lots made up by demo/models/make.py, 800 of them for training"},
}
(HERE / "turmeric-grade.json").write_text(json.dumps(described, ensure_ascii=False, indent=1) + "\n")
