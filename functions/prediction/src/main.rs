//! The prediction function under the Lambda runtime.

use mandi_core::settings::Settings;
use mandi_prediction::lambda;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let settings = Settings::from_env();
    mandi_http::logging::init(&settings)?;
    let state = lambda::state(&settings).await?;
    lambda::run(state).await
}
