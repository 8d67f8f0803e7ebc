//! Lays out the executable that is shipped: what a start runs lies together, so that little else need be in memory, and what has
//! to be relocated is listed in short.

use std::{env::var_os, process::Command};

/// The first C library whose loader reads short lists of relocations.
const READS_SHORT_LISTS: (u32, u32) = (2, 36);

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=link/start.ld");
    let is = |variable: &str, wanted: &str| var_os(variable).is_some_and(|value| value == wanted);
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    let directory = env!("CARGO_MANIFEST_DIR");
    println!("cargo:rustc-link-arg-bins=-Wl,-T,{directory}/link/start.ld");
    let is_for_this_machine = is("CARGO_CFG_TARGET_ENV", "gnu") && var_os("HOST") == var_os("TARGET");
    if is_for_this_machine && c_library().is_some_and(|version| version >= READS_SHORT_LISTS) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// Which GNU C library this machine has.
fn c_library() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let (major, minor) = told.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.split('.').next()?.parse().ok()?))
}
