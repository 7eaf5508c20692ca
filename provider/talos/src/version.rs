//! Versions of Talos and Kubernetes, and which go together.
