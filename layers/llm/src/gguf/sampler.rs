//! Which token comes next: the likeliest, or, with a temperature, one drawn among the likeliest (top-k, then
//! top-p; Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020).

use candle_core::Tensor;

/// With a temperature, one of so many likeliest tokens is drawn.
const TOP_K: usize = 40;
/// With a temperature, the tokens that are drawn from have together so much probability.
const TOP_P: f32 = 0.95;

/// Chooses the next token from logits of shape `[vocabulary]`; temperature 0 is greedy.
///
/// # Errors
/// The logits are not a vector of `f32`, or empty.
pub(super) fn next(logits: &Tensor, temperature: f32) -> candle_core::Result<u32> {
    let logits = logits.to_vec1::<f32>()?;
    let place = if temperature > 0.0 { draw(&logits, temperature, rand::random()) } else { likeliest(&logits) };
    place.and_then(|place| u32::try_from(place).ok()).ok_or_else(|| candle_core::Error::Msg("no logits".to_owned()))
}

fn likeliest(logits: &[f32]) -> Option<usize> {
    (0..logits.len()).max_by(|one, other| logits[*one].total_cmp(&logits[*other]))
}

/// Draws with a number between 0 and 1.
fn draw(logits: &[f32], temperature: f32, chance: f32) -> Option<usize> {
    let mut places: Vec<usize> = (0..logits.len()).collect();
    places.sort_unstable_by(|one, other| logits[*other].total_cmp(&logits[*one]));
    places.truncate(TOP_K);
    let highest = logits[*places.first()?];
    let weights: Vec<f32> = places.iter().map(|place| ((logits[*place] - highest) / temperature).exp()).collect();
    let all: f32 = weights.iter().sum();
    let mut kept = 0.0;
    let nucleus = weights.iter().take_while(|weight| {
        let wanted = kept < TOP_P * all;
        kept += **weight;
        wanted
    });
    let count = nucleus.count();
    let mut left = chance * weights[..count].iter().sum::<f32>();
    let drawn = weights[..count].iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    places.get(drawn.unwrap_or(count - 1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_temperature_the_likeliest_comes_next() {
        assert_eq!(likeliest(&[0.1, 3.0, -1.0]), Some(1));
    }

    #[test]
    fn a_draw_falls_by_the_weights_within_the_nucleus() {
        // Probabilities 0.6, 0.3, 0.09, 0.01: the nucleus of 0.95 is the first three.
        let logits: Vec<f32> = [0.3_f32, 0.6, 0.01, 0.09].map(f32::ln).to_vec();
        assert_eq!(draw(&logits, 1.0, 0.0), Some(1));
        assert_eq!(draw(&logits, 1.0, 0.60), Some(1));
        assert_eq!(draw(&logits, 1.0, 0.62), Some(0));
        assert_eq!(draw(&logits, 1.0, 0.999), Some(3));
    }

    #[test]
    fn a_low_temperature_sharpens_the_draw() {
        let logits: Vec<f32> = [0.4_f32, 0.6].map(f32::ln).to_vec();
        assert_eq!(draw(&logits, 1.0, 0.7), Some(0));
        assert_eq!(draw(&logits, 0.1, 0.7), Some(1));
    }
}
