//! Compiles the protocol files with a pure Rust protobuf compiler, so that no `protoc` is needed.

use std::path::Path;

use protox::prost_reflect::prost_types::FileDescriptorSet;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rerun-if-changed=migrations");
    // Position-independent code, linked at a fixed address: the relocations of this large binary would
    // otherwise be 450 KB of private memory in every supervisor, and there is one for each agent.
    if cfg!(target_os = "linux") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
    let files = [
        "stratavore/v1/common.proto",
        "stratavore/v1/projects.proto",
        "stratavore/v1/quotas.proto",
        "stratavore/v1/runners.proto",
        "stratavore/v1/sessions.proto",
        "stratavore/v1/events.proto",
        "stratavore/v1/usage.proto",
        "stratavore/v1/tokens.proto",
        "stratavore/v1/budgets.proto",
        "stratavore/v1/inbox.proto",
        "stratavore/v1/system.proto",
        "stratavore/v1/operations.proto",
        "stratavore/v1/notifications.proto",
        "stratavore/v1/worktrees.proto",
        "stratavore/v1/prompts.proto",
        "stratavore/link/v1/link.proto",
    ];
    let descriptors = protox::compile(files, [Path::new("proto")])?;
    #[expect(clippy::disallowed_methods, reason = "a build script has no configuration")]
    let out = std::env::var_os("OUT_DIR").ok_or("cargo names no directory for what is made")?;
    std::fs::write(Path::new(&out).join("calls.rs"), calls(&descriptors))?;
    tonic_prost_build::configure()
        .bytes(".stratavore")
        .build_transport(true)
        .compile_fds(descriptors)?;
    Ok(())
}

/// Returns the full names of all calls, as a slice's source.
fn calls(descriptors: &FileDescriptorSet) -> String {
    let mut names = Vec::new();
    for file in &descriptors.file {
        for service in &file.service {
            for method in &service.method {
                names.push(format!("/{}.{}/{}", file.package(), service.name(), method.name()));
            }
        }
    }
    format!("{names:?}")
}
