//! P1: cold starts of the release binaries under Lambda's runtime interface emulator, against a hello-world function
//! on the same runtime; and what the binaries weigh. `peers/p1_cold_start.py` starts them. The first answer of `embedding`
//! and of `prediction` takes a model, which has 400 ms more.
#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

use std::error::Error;

use mandi_benches::{Figure, Target, Unit, number, run_peer};

fn main() -> Result<(), Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let found = run_peer("p1_cold_start.py", [program.parent().ok_or("the bench lies in no folder")?])?;
    let floor = number(&found, "/hello_lambda/p50_ms")?;
    for (function, more) in [("chat", 0.0), ("embedding", 400.0), ("prediction", 400.0), ("batch-prediction", 0.0)] {
        let figure = Figure {
            id: "P1",
            case: format!("cold start of `{function}` against hello world, p50"),
            unit: Unit::Milliseconds,
            ours: number(&found, &format!("/{function}/p50_ms"))?,
            peer: Some(floor),
            target: Target::AboveMultipleAtMost { multiple: 3.0, more },
        };
        println!("{figure}");
    }
    for (function, most_mb) in
        [("chat", None), ("embedding", Some(150.0)), ("prediction", None), ("batch-prediction", None)]
    {
        let figure = Figure {
            id: "P1",
            case: format!("binary of `{function}` against hello world"),
            unit: Unit::Megabytes,
            ours: number(&found, &format!("/{function}/binary_mb"))?,
            peer: Some(number(&found, "/hello_lambda/binary_mb")?),
            target: most_mb.map_or(Target::None, Target::AtMost),
        };
        println!("{figure}");
    }
    Ok(())
}
