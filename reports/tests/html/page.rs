use crate::{fixture, page_of};

#[test]
fn the_same_runs_give_the_same_bytes() {
    let page = page_of(&[fixture::run()]);
    if let Ok(file) = std::env::var("PAGE") {
        std::fs::write(file, &page).unwrap();
    }
    assert_eq!(page, page_of(&[fixture::run()]));
}
