//! Compiles this crate anew when embedded drivers change: the macro that embeds folders cannot say so itself.

fn main() {
    println!("cargo::rerun-if-changed=python");
    println!("cargo::rerun-if-changed=engines.toml");
}
