//! Links one more function of the C library into a taskr that is one file. The standard library starts
//! commands by `posix_spawn` where it finds this function, and looks for it in a way that brings nothing
//! into such a file; without it all of taskr is copied for each command, by `fork`.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, wanted: &str| {
        env::var(format!("CARGO_CFG_TARGET_{name}")).is_ok_and(|value| value == wanted)
    };
    // Whether it will be one file is not told here; others have the function anyway.
    if is("OS", "linux") && is("ENV", "gnu") {
        println!(
            "cargo:rustc-link-arg-bin=taskr=-Wl,--undefined=posix_spawn_file_actions_addchdir_np"
        );
    }
}
