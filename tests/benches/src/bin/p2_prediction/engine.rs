//! The engine without HTTP, on one thread.

use std::collections::HashMap;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use mandi_benches::{Figure, Target, Unit, median, number, run_peer};
use mandi_inference::onnx::{Array, Model, Tensor, Value};

use super::{Failure, TURNS, WIDTH, check_answers, figure};

const ONE_REPEATS: usize = 3_000;
const MANY_ROWS: usize = 10_000;
const MANY_REPEATS: usize = 5;

/// Takes turns with the peer.
pub fn figures(folder: &Path, rows: &[f32]) -> Result<Vec<Figure>, Failure> {
    let model = Model::parse(&std::fs::read(folder.join("model.onnx"))?)?;
    let many = rows.get(..MANY_ROWS * WIDTH).ok_or("there are too few rows")?;
    let one = &many[..WIDTH];
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let (mut one_s, mut many_s) = (Vec::new(), Vec::new());
    let (mut peer_bound_s, mut peer_run_s, mut peer_many_s) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TURNS {
        let peer = run_peer("p2_prediction.py", [Path::new("engine"), folder])?;
        for (times, pointer) in
            [(&mut peer_bound_s, "/one_bound_s"), (&mut peer_run_s, "/one_run_s"), (&mut peer_many_s, "/many_s")]
        {
            times.push(number(&peer, pointer)?);
        }
        for (rows, repeats, times, answers) in
            [(one, ONE_REPEATS, &mut one_s, &peer["one"]), (many, MANY_REPEATS, &mut many_s, &peer["many"])]
        {
            let (taken, found) = pool.install(|| measure(&model, rows, repeats))?;
            check_answers(&found, &serde_json::from_value::<Vec<f64>>(answers.clone())?)?;
            times.push(taken);
        }
    }
    let one_us = median(one_s) * 1e6;
    let many_ms = (median(many_s) * 1e3, median(peer_many_s) * 1e3);
    Ok(vec![
        figure(
            "engine, one row, one thread; the peer by `run_with_iobinding`, within 1 µs of its C API",
            Unit::Microseconds,
            (one_us, median(peer_bound_s) * 1e6),
            Target::RatioAtMost(1.0),
        ),
        figure(
            "the same; the peer by `InferenceSession.run` of an array, what Python makes of it included",
            Unit::Microseconds,
            (one_us, median(peer_run_s) * 1e6),
            Target::None,
        ),
        figure("engine, 10,000 rows, one thread", Unit::Milliseconds, many_ms, Target::RatioAtMost(0.5)),
    ])
}

/// The median of the seconds that a call takes, the copy of the rows that it is given included; and its answers.
fn measure(model: &Model, rows: &[f32], repeats: usize) -> Result<(f64, Vec<f64>), String> {
    let call = || {
        let table = Array::table(rows.len() / WIDTH, WIDTH, rows.to_vec());
        model.run(HashMap::from([("x".to_owned(), table.into())])).map_err(|fault| fault.to_string())
    };
    let mut found = call()?;
    for _ in 0..repeats / 5 {
        found = call()?;
    }
    let mut taken = Vec::with_capacity(repeats);
    for _ in 0..repeats {
        let begun = Instant::now();
        found = black_box(call()?);
        taken.push(begun.elapsed().as_secs_f64());
    }
    match &found[..] {
        [Value::Tensor(Tensor::Float(found))] => {
            Ok((median(taken), found.data.iter().copied().map(f64::from).collect()))
        }
        other => Err(format!("the model gives {other:?}")),
    }
}
