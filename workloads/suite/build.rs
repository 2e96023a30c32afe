//! Compiles this crate anew when embedded definitions change: the macro that embeds folders cannot say so itself.

fn main() {
    for folder in ["families", "suites", "answers"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
