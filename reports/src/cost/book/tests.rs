use super::*;
use proptest::prelude::*;

/// A book with one instance at these prices, and more text after it.
fn text(on_demand: &str, more: &str) -> String {
    let unknown = r#"{ unknown = "not asked", as_of = "2026", source = "me" }"#;
    let rates = ["storage_gb_month", "put_per_1000", "get_per_1000", "egress_gb", "cross_zone_gb", "disk_gb_month"];
    let rates: String = rates.iter().map(|r| format!("{r} = {unknown}\n")).collect();
    format!(
        "schema = 1\nname = \"mine\"\nprovider = \"me\"\nregion = \"here\"\ncurrency = \"EUR\"\n[source.me]\nwhat = \"an offer\"\n\
         [rates]\n{rates}[[instance]]\nname = \"a.small\"\nvcpus = 2\nmemory_gib = 8\non_demand = {on_demand}\n{more}"
    )
}

const FINE: &str = r#"{ price = 1.0, as_of = "2026-01-31", source = "me" }"#;

fn refused(text: &str) -> String {
    PriceBook::parse(text).map(|_| "accepted".to_owned()).unwrap_or_else(|e| e.to_string())
}

#[test]
fn the_books_that_are_built_in_are_books() {
    for name in built_in_names() {
        let book = PriceBook::parse(built_in(name).unwrap()).unwrap();
        assert_eq!((book.name(), book.currency().to_string().as_str()), (name, "USD"));
        assert!(book.instances.len() >= 12, "{name}");
    }
    assert_eq!(built_in("../../etc/passwd"), None);
}

#[test]
fn every_price_of_a_built_in_book_has_a_date_and_a_source() {
    for name in built_in_names() {
        let book = PriceBook::parse(built_in(name).unwrap()).unwrap();
        let instances = book.instances.iter().flat_map(|i| i.hourly.values());
        for entry in instances.chain(book.rates.values()) {
            assert!(entry.from.as_of.is_some() && !entry.from.source.is_empty(), "{name}: {entry:?}");
        }
    }
}

#[test]
fn unknown_prices_stay_unknown() {
    let book = PriceBook::parse(built_in("aws").unwrap()).unwrap();
    let instance = book.instance("m6i.xlarge").unwrap();
    assert_eq!(instance.hourly(Purchase::Spot), None);
    let wanted = "unknown: give a rate in your price book under instance.m6i.xlarge.spot";
    assert_eq!(instance.entry(Purchase::Spot).unknown().to_string(), wanted);
}

#[test]
fn the_smallest_type_holds_what_is_needed_and_has_no_accelerator() {
    let book = PriceBook::parse(built_in("aws").unwrap()).unwrap();
    let smallest = |vcpus: f64, gib: Option<f64>, arch: &str| {
        let count = |raw: f64| Count::new(raw).unwrap();
        let needs = Needs { arch: arch.into(), vcpus: count(vcpus), memory_gib: gib.map(count) };
        book.smallest(&needs).map(|i| i.name().to_owned())
    };
    assert_eq!(smallest(2.0, None, "x86_64").as_deref(), Some("m6i.large"));
    assert_eq!(smallest(2.0, Some(9.0), "x86_64").as_deref(), Some("m6i.xlarge"));
    assert_eq!(smallest(4.0, Some(2.0), "x86_64").as_deref(), Some("c6i.xlarge"));
    assert_eq!(smallest(4.0, Some(2.0), "aarch64").as_deref(), Some("m7g.xlarge"));
    assert_eq!(smallest(500.0, None, "x86_64"), None);
}

#[test]
fn numbers_that_are_no_prices_are_refused_with_their_place() {
    for (number, shown) in [("nan", "NaN"), ("inf", "inf"), ("-1.0", "-1"), ("-inf", "-inf")] {
        let entry = format!(r#"{{ price = {number}, as_of = "2026", source = "me" }}"#);
        let wanted =
            format!("`instance.a.small.on_demand`: {shown} is no price; give a finite number that is not negative");
        assert_eq!(refused(&text(&entry, "")), wanted);
    }
}

#[test]
fn every_other_mistake_has_its_own_words() {
    let entry = |rest: &str| format!("{{ {rest}, source = \"me\" }}");
    let order = refused(&text(&entry(r#"low = 3.0, high = 1.0, as_of = "2026""#), ""));
    assert_eq!(order, "`instance.a.small.on_demand`: low, base and high must ascend");
    let shape = refused(&text(&entry(r#"low = 3.0, as_of = "2026""#), ""));
    assert!(shape.contains("give `price`, or `low` and `high`"), "{shape}");
    let both = refused(&text(&entry(r#"price = 3.0, unknown = "?", as_of = "2026""#), ""));
    assert!(both.contains("give `price`, or `low` and `high`"), "{both}");
    for date in ["2026-13", "yesterday", "2026-1-1", "", "2026-01-01-01", "٢٠٢٦"] {
        let bad = refused(&text(&entry(&format!("price = 3.0, as_of = \"{date}\"")), ""));
        assert!(bad.contains("is no date; give YYYY-MM-DD"), "{date}: {bad}");
    }
    let source = refused(&text(r#"{ price = 1.0, as_of = "2026", source = "you" }"#, ""));
    assert!(source.contains("source `you` is not in the book; add [source.you]"), "{source}");
    let none = refused(&text(r#"{ price = 1.0 }"#, ""));
    assert!(none.contains("as_of"), "{none}");
    let field = refused(&text(r#"{ price = 1.0, as_of = "2026", source = "me", discount = 0.5 }"#, ""));
    assert!(field.contains("discount"), "{field}");
    let schema = refused(&text(FINE, "").replace("schema = 1", "schema = 2"));
    assert_eq!(schema, "schema 2 is not known; this program reads schema 1");
    let currency = refused(&text(FINE, "").replace("EUR", "euro"));
    assert_eq!(currency, "currency `euro` is no currency; give three capital letters such as USD");
    let zero = refused(&text(FINE, "").replace("vcpus = 2", "vcpus = 0"));
    assert!(zero.contains("at least one vCPU"), "{zero}");
}

#[test]
fn entries_that_are_there_twice_are_refused() {
    let again = format!("[[instance]]\nname = \"a.small\"\nvcpus = 2\nmemory_gib = 8\non_demand = {FINE}\n");
    assert_eq!(refused(&text(FINE, &again)), "instance `a.small` is in the book twice; leave one of them out");
    let key = refused(&text(FINE, &format!("on_demand = {FINE}\n")));
    assert!(key.contains("duplicate key"), "{key}");
}

#[test]
fn a_row_with_a_licence_in_it_breaks_the_line_of_its_series() {
    let row = |name: &str, vcpus: u32, price: f64| {
        let entry = format!(r#"{{ price = {price}, as_of = "2026", source = "me" }}"#);
        format!("[[instance]]\nname = \"{name}\"\nvcpus = {vcpus}\nmemory_gib = 8\non_demand = {entry}\n")
    };
    let linux = row("D4s_v5", 4, 0.192) + &row("D8s_v5", 8, 0.384);
    let fine = text(FINE, &(linux.clone() + &row("D16s_v5", 16, 0.768)));
    assert!(PriceBook::parse(&fine).is_ok());
    let windows = refused(&text(FINE, &(linux + &row("D16s_v5", 16, 1.504))));
    assert!(windows.starts_with("instance `D16s_v5` costs 1.96 times as much per vCPU"), "{windows}");
    assert!(windows.contains("Windows licence"), "{windows}");
}

#[test]
fn a_book_sets_assumptions_that_exist_and_no_others() {
    let set = |key: &str| {
        text(FINE, &format!("[assumption.{key}]\nlow = 1\nbase = 2\nhigh = 3\nwhat = \"x\"\nsource = \"me\"\n"))
    };
    let book = PriceBook::parse(&set("idle_s")).unwrap();
    assert_eq!(book.assumptions["idle_s"].range, Range::new(1.0, 2.0, 3.0));
    assert_eq!(book.assumptions["start_up_s"].range, Range::new(60.0, 120.0, 300.0));
    let unknown = refused(&set("luck"));
    assert!(unknown.starts_with("assumption `luck` does not exist; the model assumes cross_zone_share"), "{unknown}");
}

#[test]
fn ten_megabytes_are_refused_unread() {
    assert_eq!(PriceBook::parse(&"#".repeat(10 << 20)), Err(BookError::TooLarge));
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = PriceBook::parse(&text);
    }

    #[test]
    fn no_piece_of_a_real_book_panics(cut in 0usize..12_000, rest in "[a-z0-9=\\[\\]\"{} \n.-]{0,40}") {
        let book = built_in("aws").unwrap();
        let cut = book.char_indices().map(|(i, _)| i).take_while(|i| *i <= cut).last().unwrap_or(0);
        let _ = PriceBook::parse(&format!("{}{rest}", &book[..cut]));
    }
}
