//! Vectors as the port wants them.

use mandi_core::ports::ModelError;

/// Brings a provider's vector to unit length (Euclidean norm 1, computed in f64).
///
/// # Errors
/// [`ModelError::BadRequest`] when it is not `dimensions` long: the configured length is wrong for the model.
/// [`ModelError::Overloaded`] when it has no direction: all zero, or not finite.
pub(crate) fn unit(mut vector: Vec<f32>, dimensions: usize) -> Result<Vec<f32>, ModelError> {
    if vector.len() != dimensions {
        let detail = format!("the model's vectors have {} dimensions, and {dimensions} are configured", vector.len());
        return Err(ModelError::BadRequest(detail));
    }
    let norm = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if !norm.is_finite() || norm == 0.0 {
        return Err(ModelError::Overloaded("the model gave a vector without direction".to_owned()));
    }
    for value in &mut vector {
        *value = (f64::from(*value) / norm) as f32;
    }
    Ok(vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_brought_to_unit_length() {
        assert_eq!(unit(vec![3.0, 4.0], 2).ok(), Some(vec![0.6, 0.8]));
    }

    #[test]
    fn a_vector_of_another_length_or_without_direction_is_refused() {
        assert!(matches!(unit(vec![1.0], 2), Err(ModelError::BadRequest(_))));
        assert!(matches!(unit(vec![0.0, 0.0], 2), Err(ModelError::Overloaded(_))));
        assert!(matches!(unit(vec![f32::NAN, 0.0], 2), Err(ModelError::Overloaded(_))));
    }
}
