//! Measures the shipped binary beside tmux.

fn main() {}
