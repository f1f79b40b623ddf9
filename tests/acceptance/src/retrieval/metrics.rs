//! Recall and normalised discounted cumulative gain.

/// What each result gains, best result first: 1 when it is the first to meet a need, else 0. `met` says for each
/// result which needs it meets.
#[must_use]
pub fn gains(met: &[Vec<usize>]) -> Vec<f64> {
    let mut before: Vec<usize> = Vec::new();
    met.iter()
        .map(|needs| {
            let new: Vec<usize> = needs.iter().copied().filter(|need| !before.contains(need)).collect();
            before.extend(&new);
            if new.is_empty() { 0.0 } else { 1.0 }
        })
        .collect()
}

/// The share of the needs, 0 to 1, that the first `k` results meet. No needs are all met.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of needs are far below 2^52")]
pub fn recall_at(k: usize, met: &[Vec<usize>], needs: usize) -> f64 {
    let found = (0..needs).filter(|need| met.iter().take(k).any(|result| result.contains(need))).count();
    if needs == 0 { 1.0 } else { found as f64 / needs as f64 }
}

/// Normalised discounted cumulative gain of the first `k` results, 0 to 1: the sum of `gain / log2(rank + 1)`, by that
/// of the best order, which `ideal` gives (Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques",
/// 2002). Without any gain to be had it is 1.
#[must_use]
pub fn ndcg_at(k: usize, gains: &[f64], ideal: &[f64]) -> f64 {
    let best = discounted(k, ideal);
    if best > 0.0 { discounted(k, gains) / best } else { 1.0 }
}

fn discounted(k: usize, gains: &[f64]) -> f64 {
    let mut rank = 0.0_f64;
    let mut sum = 0.0;
    for gain in gains.iter().take(k) {
        rank += 1.0;
        sum += gain / (rank + 1.0).log2();
    }
    sum
}

/// The mean; 0 of nothing.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts of questions are far below 2^52")]
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
    }

    #[test]
    fn given_graded_gains_when_they_are_discounted_then_ndcg_is_that_of_the_textbook() {
        // The worked example of the encyclopaedia's article on discounted cumulative gain: 6.861 by 8.740.
        let found = ndcg_at(6, &[3.0, 2.0, 3.0, 0.0, 1.0, 2.0], &[3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 1.0, 0.0]);
        assert_near(found, 0.785, 0.0005);
    }

    #[test]
    fn given_one_need_when_the_third_result_meets_it_then_ndcg_is_a_half() {
        assert_near(ndcg_at(10, &[0.0, 0.0, 1.0], &[1.0]), 0.5, 1e-12);
    }

    #[test]
    fn given_a_need_met_below_the_cut_when_it_is_measured_then_nothing_is_gained() {
        assert_near(ndcg_at(2, &[0.0, 0.0, 1.0], &[1.0]), 0.0, 0.0);
        assert_near(recall_at(2, &[vec![], vec![], vec![0]], 1), 0.0, 0.0);
    }

    #[test]
    fn given_two_needs_when_one_is_met_then_recall_is_a_half() {
        assert_near(recall_at(5, &[vec![1], vec![1]], 2), 0.5, 0.0);
    }

    #[test]
    fn given_a_need_met_twice_when_gains_are_given_then_only_the_first_result_gains() {
        assert_eq!(gains(&[vec![], vec![0], vec![0], vec![0, 1]]), [0.0, 1.0, 0.0, 1.0]);
    }

    #[test]
    fn given_nothing_to_find_when_it_is_measured_then_all_is_found() {
        assert_near(recall_at(5, &[], 0), 1.0, 0.0);
        assert_near(ndcg_at(5, &[], &[]), 1.0, 0.0);
    }
}
