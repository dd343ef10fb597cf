//! A NATS broker, as a process of its own on loopback.

use std::path::Path;

use crate::{Service, free_port};

/// A running broker.
#[derive(Debug)]
pub struct Nats {
    url: String,
    _service: Service,
}

impl Nats {
    /// Starts one on a free port, for whoever logs in as this user with this password.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[must_use]
    pub fn start(user: &str, password: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("keystead-nats-").tempdir().expect("a folder").keep();
        let port = free_port().to_string();
        let debian = Path::new("/usr/sbin/nats-server");
        let program = if debian.is_file() { "/usr/sbin/nats-server" } else { "nats-server" };
        let arguments = [program, "--addr", "127.0.0.1", "--port", &port, "--user", user, "--pass", password];
        let service = Service::start(&folder, &arguments, "Server is ready");
        Self { url: format!("nats://127.0.0.1:{port}"), _service: service }
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}
