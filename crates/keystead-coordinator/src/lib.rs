//! Workflow, JSON-RPC and broadcast; holds no key.
