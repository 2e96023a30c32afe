//! What is compared with what: sums that lack the same lines, and no others.

use crate::{book, priced, run, scenario, shown};
use bench_reports::cost::{CostFormat, Count, Deployment, Line, PriceBook, Pricing, built_in};

/// With somebody to keep it running: the book has a salary for Spark, as which `stagedag` is priced, and none for the others.
fn with_operations() -> Pricing {
    let mut asked = scenario();
    asked.operations_fte = Count::new(1.0);
    priced(&[run()], &book("aws"), &asked).unwrap()
}

/// The book for AWS without a price of disks, which no serverless platform rents.
fn without_disks() -> PriceBook {
    let (known, text) = ("disk_gb_month = { price = 0.08,", built_in("aws").unwrap());
    assert!(text.contains(known));
    PriceBook::parse(&text.replace(known, "disk_gb_month = { unknown = \"not asked\",")).unwrap()
}

#[test]
fn no_offer_is_the_cheapest_for_want_of_a_line() {
    for family in &with_operations().families {
        for deployment in [None, Some(Deployment::SelfHosted)] {
            let cheapest = &family.offers[family.cheapest(deployment).unwrap()];
            assert_eq!((cheapest.engine.as_str(), cheapest.bill.missing()), ("stagedag", Vec::new()));
        }
        assert_eq!(family.tornado.as_ref().map(|(at, _)| *at), family.cheapest(None));
        let other = family.offers.iter().find(|o| o.engine == "datafusion").unwrap();
        assert_eq!(other.bill.missing(), [Line::Operations]);
    }
}

#[test]
fn sums_that_lack_different_lines_do_not_cross_and_it_is_said_whose_they_are() {
    let pricing = with_operations();
    for family in &pricing.families {
        let missing = |i: usize| family.offers[i].bill.missing();
        assert!(!family.crossings.is_empty());
        assert!(family.crossings.iter().all(|c| missing(c.below) == missing(c.above)));
    }
    let text = shown(&[pricing], CostFormat::Markdown);
    let said = "not compared with the others: the sums of datafusion (self-hosted), datafusion-1t (self-hosted) lack operations";
    assert!(text.contains(said), "{text}");
    let all_known = priced(&[run()], &book("aws"), &scenario()).unwrap();
    assert!(!shown(&[all_known], CostFormat::Markdown).contains("not compared"));
}

#[test]
fn sums_that_lack_a_line_are_marked_wherever_they_are_shown() {
    let pricing = [priced(&[run()], &without_disks(), &scenario()).unwrap()];
    let marked = [
        "is cheaper than datafusion-1t (self-hosted, on demand) above",
        "times measured, scaled ±?; ≥, without shuffle disk)",
        "A month, line by line: datafusion on 1 x m6i.large, self-hosted, spot (x8952 ±?; ≥, without shuffle disk)",
    ];
    let drawn = [
        "cost per TB over data per month (sql, aws)",
        "cost per TB over data per month (sql, aws; ≥, without shuffle disk)",
        "≥ stagedag (self-hosted, on demand), x8952 ±?",
    ];
    for (format, all) in [(CostFormat::Markdown, marked), (CostFormat::Svg, drawn)] {
        let text = shown(&pricing, format);
        all.iter().for_each(|words| assert!(text.contains(words), "{words}: {text}"));
    }
}
