#!/usr/bin/env python3
"""P6's peer: LanceDB's own Python build on the same vectors, texts and queries.

    p6_lancedb.py FOLDER        FOLDER as `p6_search` writes it

Prints one JSON object.
"""

import json
import pathlib
import sys
import tempfile
import time

import environment

PACKAGES = ["lancedb==0.40.0", "numpy", "pyarrow"]
DIMENSIONS = 384
K = 10


def summary(times):
    times = sorted(times)
    at = lambda share: round(times[min(int(len(times) * share), len(times) - 1)] * 1e3, 2)
    return {"p50": at(0.5), "p95": at(0.95)}


def timed(times, call):
    begun = time.perf_counter()
    found = call()
    times.append(time.perf_counter() - begun)
    return found


def main(folder):
    import lancedb
    import numpy
    import pyarrow
    from lancedb.index import FTS, HnswSq

    read = lambda name: numpy.fromfile(folder / f"{name}.f32", dtype="<f4").reshape(-1, DIMENSIONS)
    vectors, queries = read("chunks"), read("queries")
    texts = (folder / "chunks.txt").read_text().splitlines()
    words = (folder / "queries.txt").read_text().splitlines()

    with tempfile.TemporaryDirectory() as place:
        begun = time.perf_counter()
        rows = pyarrow.table({
            "id": numpy.arange(len(vectors)),
            "text": texts,
            "kind": [f"kind{row // 10 % 20}" for row in range(len(vectors))],
            "vector": pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(vectors.reshape(-1)), DIMENSIONS),
        })
        table = lancedb.connect(place).create_table("p6", rows)
        write_s = time.perf_counter() - begun
        begun = time.perf_counter()
        table.create_index("text", config=FTS(base_tokenizer="whitespace", with_position=False, stem=False,
                                              remove_stop_words=False))
        table.create_index("vector", config=HnswSq(distance_type="cosine"))
        index_s = time.perf_counter() - begun

        columns = ["id", "text", "kind"]
        nearest = lambda query, k: (table.search(query, vector_column_name="vector").distance_type("cosine").ef(64)
                                    .limit(k).select(columns + ["_distance"]))
        keyword = lambda text, k: (table.search(text, query_type="fts", fts_columns="text").limit(k)
                                   .select(columns + ["_score"]))
        for query, text in zip(queries[:20], words[:20]):
            nearest(query, K).to_arrow(), keyword(text, K).to_arrow()
        times = {name: [] for name in ("vector", "keyword", "both", "filtered")}
        common = 0
        for query, text in zip(queries, words):
            found = timed(times["vector"], lambda: nearest(query, K).to_arrow())
            exact = numpy.argsort(-(vectors @ query))[:K]
            common += len(set(found["id"].to_pylist()) & set(exact.tolist()))
            timed(times["keyword"], lambda: keyword(text, K).to_arrow())
            timed(times["both"], lambda: (nearest(query, 50).to_arrow(), keyword(text, 50).to_arrow()))
            timed(times["filtered"], lambda: nearest(query, K).where("kind = 'kind7'").to_arrow())
        report = {
            "peer": f"lancedb {lancedb.__version__} (Python)",
            "chunks": len(vectors),
            "queries": len(queries),
            "recall_at_10": common / (len(queries) * K),
            **{name: summary(values) for name, values in times.items()},
            "write_s": round(write_s, 2),
            "index_s": round(index_s, 2),
        }
        print(json.dumps(report, indent=2))


if __name__ == "__main__":
    environment.enter("p6", PACKAGES)
    main(pathlib.Path(sys.argv[1]))
