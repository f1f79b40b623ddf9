//! The batch prediction function under the Lambda runtime.

use mandi_batch_prediction::lambda;
use mandi_core::settings::Settings;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let settings = Settings::from_env();
    mandi_http::logging::init(&settings)?;
    let state = lambda::state(&settings).await?;
    lambda::run(state).await
}
