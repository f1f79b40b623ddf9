//! The products against plain sums in f64.

use std::ops::Range;

use super::*;

/// Numbers between -1 and 1 (linear congruential generator, Numerical Recipes, 3rd ed., 7.1.4).
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 1_u64;
    let mut number = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f32::from(u16::try_from(state >> 48).unwrap_or(0)) / 32_768.0 - 1.0
    };
    (0..count).map(|_| number()).collect()
}

fn matrix(rows: usize, columns: usize) -> Blocks {
    let mut matrix = Blocks::zeroed(rows, columns / STRIP);
    let values = numbers(rows * columns);
    for (strip, values) in matrix.strips_mut().iter_mut().zip(values.as_chunks::<STRIP>().0) {
        *strip = Strip(*values);
    }
    matrix
}

fn row(matrix: &Blocks, row: usize) -> Vec<f64> {
    matrix.row(row).flat_map(|strip| strip.0.map(f64::from)).collect()
}

fn product(left: &[f64], right: impl Iterator<Item = f64>) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

/// Sums in f32 against sums in f64.
const OF_SUMS: f64 = 5e-5;
/// The same with weights that are rounded to 1/65,534: 384 roundings of 9e-6 and numbers of 0.6, root mean squares,
/// give 1e-4; five times that.
const OF_ROUNDED_WEIGHTS: f64 = 5e-4;

fn assert_near(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() < tolerance, "{value} where {expected} is expected");
}

#[test]
fn given_any_number_of_rows_and_either_order_when_a_layer_is_applied_then_it_is_x_w_plus_b() {
    let (inputs, outputs) = (384, 64);
    let (weights, bias) = (numbers(inputs * outputs), numbers(outputs));
    for (order, rows) in
        [Order::InputMajor, Order::OutputMajor].into_iter().flat_map(|order| (1..30).map(move |rows| (order, rows)))
    {
        let x = matrix(rows, inputs);
        let layer = Linear::new(inputs, &[Part { weights: weights.clone(), order, bias: bias.clone() }]);

        let out = layer.apply(&x, Activation::None, rows % 2 == 0);

        for at in 0..rows {
            let (x, out) = (row(&x, at), row(&out, at));
            for (output, value) in out.into_iter().enumerate() {
                let weight = |input: usize| match order {
                    Order::InputMajor => weights[input * outputs + output],
                    Order::OutputMajor => weights[output * inputs + input],
                };
                let sum = product(&x, (0..inputs).map(|input| f64::from(weight(input))));
                assert_near(value, sum + f64::from(bias[output]), OF_ROUNDED_WEIGHTS);
            }
        }
    }
}

#[test]
fn given_texts_of_several_lengths_when_attended_then_each_head_of_each_text_is_softmax_of_q_k_times_v() {
    let heads = 2;
    let texts: [Range<usize>; 4] = [0..1, 1..40, 40..72, 72..140];
    let projections = matrix(140, 3 * heads * STRIP);
    let strip = |kind: usize, head: usize, row: usize| projections.block(kind * heads + head)[row].0.map(f64::from);

    let out = attend(&projections, &texts, false);

    for (head, text) in (0..heads).flat_map(|head| texts.iter().map(move |text| (head, text))) {
        for query in text.clone() {
            let score = |key: usize| product(&strip(0, head, query), strip(1, head, key).into_iter()) / 32_f64.sqrt();
            let shares: Vec<f64> = text.clone().map(|key| score(key).exp()).collect();
            let total: f64 = shares.iter().sum();
            for (dimension, value) in out.block(head)[query].0.into_iter().enumerate() {
                let sum = product(&shares, text.clone().map(|key| strip(2, head, key)[dimension]));
                assert_near(f64::from(value), sum / total, OF_SUMS);
            }
        }
    }
}
