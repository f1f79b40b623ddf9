#![expect(clippy::unwrap_used, reason = "tests state what must hold")]

use super::*;

/// Three rows of two targets and three features.
fn contributions() -> Contributions {
    let values = (0..18).map(|place| f64::from(if place % 2 == 0 { place } else { -place })).collect();
    Contributions { game: Game::Interventional, space: Space::Raw, base: vec![10.0, 20.0], features: 3, values }
}

#[test]
fn given_rows_and_targets_then_each_has_its_contributions_and_output() {
    let found = contributions();
    assert_eq!((found.rows(), found.targets(), found.features()), (3, 2, 3));
    assert_eq!(found.of(1, 1), Some(&[-9.0, 10.0, -11.0][..]));
    assert_eq!(found.output(1, 1), Some(10.0));
    assert_eq!((found.of(3, 0), found.of(0, 2), found.output(0, 2)), (None, None, None));
}

#[test]
fn given_groups_then_their_members_are_summed() {
    let found = contributions().grouped(&Grouping::new(vec![1, 0, 1]).unwrap()).unwrap();
    assert_eq!(found.of(1, 1), Some(&[10.0, -20.0][..]));
    assert_eq!(found.output(1, 1), Some(10.0));
}

#[test]
fn given_groupings_that_are_none_then_they_are_refused() {
    let fault = |found, expected| ExplainFault::Count { what: "groups with a feature", found, expected };
    assert_eq!(Grouping::new(vec![]), Err(fault(0, 1)));
    assert_eq!(Grouping::new(vec![0, 2]), Err(fault(1, 3)));
    assert_eq!(Grouping::of_widths(&[2, 0, 1]), Err(fault(2, 3)));
    assert_eq!(Grouping::new(vec![usize::MAX]), Err(fault(0, usize::MAX)));
    assert_eq!(Grouping::of_widths(&[2, 1]).unwrap().of(), [0, 0, 1]);
    let other = contributions().grouped(&Grouping::single(2).unwrap());
    assert_eq!(other, Err(ExplainFault::Count { what: "features in the grouping", found: 2, expected: 3 }));
}

#[test]
fn given_rows_then_importance_is_the_mean_size_of_contributions() {
    assert_eq!(importance(&contributions()), [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
}

#[test]
fn given_values_of_a_feature_then_bins_have_about_as_many_rows_and_equal_values_together() {
    let own = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    let found = Contributions { base: vec![0.0], features: 1, values: own.to_vec(), ..contributions() };
    let values = [3.0, 1.0, 1.0, 2.0, f64::NAN, 1.0, f64::INFINITY];
    let bins = dependence(&found, Rows::new(&values, 1).unwrap(), [0, 0], 2).unwrap();
    let bin = |values, rows, mean, range| Bin { values, rows, mean, range };
    let expected = [
        bin(Some([1.0, 1.0]), 3, 11.0 / 3.0, [2.0, 6.0]),
        bin(Some([2.0, f64::INFINITY]), 3, 4.0, [1.0, 7.0]),
        bin(None, 1, 5.0, [5.0, 5.0]),
    ];
    assert_eq!(bins, expected);
    // More bins than values: one for each value.
    assert_eq!(dependence(&found, Rows::new(&values, 1).unwrap(), [0, 0], 50).unwrap().len(), 5);
}

#[test]
fn given_no_such_feature_or_target_then_the_fault_names_it() {
    let rows = [0.0; 9];
    let fault = |which, bins| dependence(&contributions(), Rows::new(&rows, 3).unwrap(), which, bins).unwrap_err();
    let number = |what, found, expected| ExplainFault::Number { what, found, expected };
    assert_eq!(fault([3, 0], 5), number("the feature", 3, "one that was explained"));
    assert_eq!(fault([0, 2], 5), number("the target", 2, "one that was explained"));
    assert_eq!(fault([0, 0], 0), number("the number of bins", 0, "at least 1"));
}
