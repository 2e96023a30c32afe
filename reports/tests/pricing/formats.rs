//! Every format, as recorded under `snapshots/`.

use crate::{book, fixture, priced, run, scenario, shown};
use bench_reports::Ink;
use bench_reports::cost::{CostFormat, Count, Deployment, Jobs, Line, reprice, show};

fn recorded(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn text_and_markdown_are_as_recorded() {
    let pricing = [priced(&[run()], &book("aws"), &scenario()).unwrap()];
    recorded("cost-table", &shown(&pricing, CostFormat::Table));
    recorded("cost-markdown", &shown(&pricing, CostFormat::Markdown));
}

#[test]
fn focus_rows_are_as_recorded() {
    let pricing = [priced(&[run()], &book("aws"), &scenario()).unwrap()];
    let csv = shown(&pricing, CostFormat::Focus);
    let head: Vec<&str> = csv.lines().take(13).collect();
    recorded("cost-focus", &head.join("\n"));
    let columns = csv.lines().next().unwrap().split(',').count();
    let fields = |line: &str| {
        let mut quoted = false;
        1 + line
            .chars()
            .filter(|c| {
                quoted ^= *c == '"';
                *c == ',' && !quoted
            })
            .count()
    };
    assert!(csv.lines().all(|line| fields(line) == columns), "{csv}");
}

#[test]
fn html_is_as_recorded_and_its_pictures_have_words() {
    let pricing = [priced(&[run()], &book("aws"), &scenario()).unwrap()];
    let page = shown(&pricing, CostFormat::Html);
    let mut text = String::new();
    for (i, part) in page.split("<svg ").enumerate() {
        let rest = if i == 0 { part } else { part.split_once("</svg>").unwrap().1 };
        let (label, _) = part.split_once(" width").unwrap_or_default();
        assert!(i == 0 || label.starts_with("role=\"img\" aria-label=\"") && label.len() > 60, "{label}");
        text.push_str(if i == 0 { "" } else { "[picture]" });
        text.push_str(rest);
    }
    recorded("cost-html", &text);
    for forbidden in ["<script", "http://", "https://", "javascript:"] {
        let outside = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!outside.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn json_has_every_number_with_its_source() {
    let pricing = [priced(&[run()], &book("aws"), &scenario()).unwrap()];
    let json: serde_json::Value = serde_json::from_str(&shown(&pricing, CostFormat::Json)).unwrap();
    let family = &json["pricings"][0]["families"][0];
    let offers = family["offers"].as_array().unwrap();
    let spot = offers.iter().find(|o| o["purchase"] == "spot").unwrap();
    let hour = &spot["inputs"]["worker instance-hour"];
    assert_eq!((hour["low"].as_f64(), hour["high"].as_f64()), (Some(0.029), Some(0.041)));
    assert_eq!((hour["key"].as_str(), hour["as_of"].as_str()), (Some("instance.m6i.large.spot"), Some("2026")));
    for offer in offers {
        for input in offer["inputs"].as_object().unwrap().values() {
            assert!(!input["source"].as_str().unwrap().is_empty(), "{input}");
        }
        for line in offer["lines"].as_array().unwrap() {
            assert!(line["per_month"].is_object() != line["unknown"].is_object(), "{line}");
        }
    }
    assert_eq!(family["break_even"].as_array().map(|all| !all.is_empty()), Some(true));
}

#[test]
fn pictures_show_the_tornado_and_both_curves() {
    let pricing = [priced(&[run()], &book("aws"), &scenario()).unwrap()];
    let svg = shown(&pricing, CostFormat::Svg);
    for words in
        ["What matters most", "cost per TB over data per month", "cost per TB over jobs per day", "time per TB"]
    {
        assert!(svg.contains(words), "{words}");
    }
}

#[test]
fn a_curve_of_scaled_times_says_so_by_its_name_and_in_words() {
    let pricing = [priced(&[run()], &book("aws"), &scenario()).unwrap()];
    let svg = shown(&pricing, CostFormat::Svg);
    assert!(svg.contains("datafusion (self-hosted, on demand), x8952 ±?"));
    let scaled = "beyond the measured size a job is taken as so many runs one after the other, with the error in its name or an unknown one";
    assert!(svg.contains(scaled));
    let page = shown(&pricing, CostFormat::Html);
    let captions: Vec<&str> = page.split("<figcaption>").filter(|c| c.starts_with("Running cost")).collect();
    assert!(!captions.is_empty() && captions.iter().all(|c| c.contains(scaled)), "{captions:?}");
    let mut small = scenario();
    small.jobs = Jobs::AsMeasured;
    let as_measured = shown(&[priced(&[run()], &book("aws"), &small).unwrap()], CostFormat::Svg);
    assert!(as_measured.contains("datafusion (self-hosted, on demand)") && !as_measured.contains("on demand), x"));
}

#[test]
fn numbers_are_sorted_by_their_values_and_not_by_how_they_are_written() {
    // Where sums lack lines.
    let page = shown(&[priced(&[run()], &book("gcp"), &scenario()).unwrap()], CostFormat::Html);
    let (mut marked, mut unknown) = (0, 0);
    for cell in page.split("<td class=\"cost-number\"").skip(1) {
        let (attributes, rest) = cell.split_once('>').unwrap();
        let (written, _) = rest.split_once("</td>").unwrap();
        let value = attributes.strip_prefix(" data-v=\"").and_then(|v| v.strip_suffix('"'));
        // A word in place of a number: unknown, none offered, how a workload ended.
        if written != "exact" && !written.contains(|c: char| c.is_ascii_digit()) {
            assert_eq!(value, None, "{cell}");
            unknown += 1;
            continue;
        }
        let value: f64 = value.unwrap().parse().unwrap();
        marked += usize::from(written.starts_with('≥'));
        // A range by its low end, a number with its range by itself.
        let number = written.trim_start_matches("≥ ").split(['–', ' ']).next().unwrap().replace(',', "");
        if let Ok(number) = number.parse::<f64>() {
            assert!((value - number).abs() <= 0.06 * number, "{value} is written {written}");
        }
    }
    assert!(marked > 0 && unknown > 0, "{marked} {unknown}");
}

/// The cells of the first table with that caption on a page.
fn on_page(page: &str, caption: &str) -> Vec<Vec<String>> {
    let (_, rest) = page.split_once(&format!("<caption>{caption}</caption>")).unwrap();
    let (_, body) = rest.split_once("<tbody>").unwrap();
    let (body, _) = body.split_once("</tbody>").unwrap();
    let cells = |row: &str| {
        let cells = row.split("</td>").flat_map(|part| part.split("</th>")).filter(|cell| cell.starts_with("<t"));
        cells.map(|cell| cell.split_once('>').unwrap().1.to_owned()).collect()
    };
    body.split("<tr>").skip(1).map(cells).collect()
}

/// The cells of the first table under that heading in Markdown.
fn in_markdown(text: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, rest) = text.split_once(&format!("## {heading}\n")).unwrap();
    let rows = rest.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|')).skip(2);
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('\\', "")).collect();
    rows.map(cells).collect()
}

#[test]
fn a_page_has_the_tables_of_the_text_before_all_offers() {
    let titles = [
        "USD per TB processed, running",
        "USD per million runs of a workload: measured time x instances on demand, nothing else",
    ];
    let mut all = Vec::new();
    for name in ["aws", "gcp"] {
        let pricing = [priced(&[run()], &book(name), &scenario()).unwrap()];
        let (page, text) = (shown(&pricing, CostFormat::Html), shown(&pricing, CostFormat::Markdown));
        for title in titles {
            let cells = on_page(&page, title);
            assert_eq!(cells, in_markdown(&text, title), "{name}: {title}");
            all.extend(cells.into_iter().flatten());
        }
        let places = titles.map(|title| page.find(&format!("<caption>{title}</caption>")).unwrap());
        assert!(places[0] < places[1] && places[1] < page.find("<caption>Every offer, USD</caption>").unwrap());
    }
    for wanted in ["x8952 ±?", "none offered", "2 of 4", "failed", "wrong_answer"] {
        assert!(all.iter().any(|cell| cell == wanted), "{wanted}: {all:?}");
    }
    assert!(all.iter().any(|cell| cell.contains(" (") && cell.contains('–')), "ranges: {all:?}");
    assert!(all.iter().any(|cell| cell.starts_with("≥ ")), "{all:?}");
}

#[test]
fn the_same_folders_give_the_same_bytes() {
    let once = || priced(&[run()], &book("gcp"), &scenario()).unwrap();
    for format in [CostFormat::Table, CostFormat::Json, CostFormat::Focus, CostFormat::Svg, CostFormat::Html] {
        assert_eq!(shown(&[once()], format), shown(&[once()], format));
    }
}

#[test]
fn an_old_run_is_priced_again_at_other_prices() {
    let runs = [run()];
    let two = ["aws", "gcp"].map(|name| priced(&runs, &book(name), &scenario()).unwrap());
    let rows = reprice(&two[0], &two[1]).unwrap();
    assert!(!rows.is_empty());
    let text = show(&two, &rows, CostFormat::Table, Ink::Plain, (2026, 11)).unwrap();
    let at = text.find("The same runs at the prices of aws and gcp").unwrap();
    recorded("cost-repriced", &text[at..]);
    let euro = bench_reports::cost::built_in("gcp").unwrap().replace("\"USD\"", "\"EUR\"");
    let euro = bench_reports::cost::PriceBook::parse(&euro).unwrap();
    let other = priced(&runs, &euro, &scenario()).unwrap();
    let refused = reprice(&two[0], &other).unwrap_err().to_string();
    assert_eq!(refused, "price books `aws` and `gcp` are in USD and EUR; give books in one currency");
}

#[test]
fn a_contestant_that_failed_is_held_to_what_all_completed() {
    let pricing = priced(&[run()], &book("aws"), &scenario()).unwrap();
    let sql = &pricing.families[0];
    let told: Vec<(&str, usize, usize, usize)> =
        sql.usages.iter().map(|u| (&*u.contestant.label, u.completed, u.cases, u.common)).collect();
    assert_eq!(told, [("stagedag", 2, 4, 2), ("datafusion", 4, 4, 2), ("datafusion-1t", 2, 4, 2)]);
    // 410 + 95 ms of two queries over twice 350 MiB.
    let busy = sql.usages[1].busy_per_tb.unwrap().base.seconds();
    let wanted = 0.505 / (2.0 * 350.0 * 1_048_576.0 / 1e12);
    assert!((busy / wanted - 1.0).abs() < 1e-6, "{busy} is not {wanted}");
}

#[test]
fn the_machines_of_a_product_s_own_cluster_are_all_paid_for_and_their_memory_is_not_known() {
    let mut run = run();
    for o in &mut run.observations {
        (o.case.cluster, o.case.nodes, o.case.slots) = ("attached".into(), 4, 16);
        o.key = o.case.key();
    }
    let pricing = priced(&[run], &book("aws"), &scenario()).unwrap();
    let place = &pricing.families[0].usages[0].place;
    assert_eq!((place.machines, place.driver_apart, place.vcpus.get(), place.memory_gib), (4, true, 16.0, None));
    assert!(pricing.notes.iter().any(|note| note.contains("nobody here saw the memory")), "{:?}", pricing.notes);
    assert!(!pricing.notes.iter().any(|note| note.contains("shared one machine")), "{:?}", pricing.notes);
}

#[test]
fn a_machine_has_room_for_the_most_that_several_processes_may_have_held() {
    let rented = |bound: Option<u64>| {
        let mut run = run();
        run.observations.iter_mut().filter(|o| o.case.engine == "stagedag").for_each(|o| o.rss_bytes_bound = bound);
        let pricing = priced(&[run], &book("aws"), &scenario()).unwrap();
        let sql = &pricing.families[0];
        let instance = sql.offers.iter().find(|o| o.engine == "stagedag").and_then(|o| o.instance.clone());
        (instance.unwrap(), sql.usages[0].place.memory_gib.map(Count::get).unwrap())
    };
    let (small, seen) = rented(None);
    assert_eq!((small.as_str(), seen < 1.0), ("m6i.large", true));
    assert_eq!(rented(Some(9 << 30)), ("m6i.xlarge".to_owned(), 9.0));
    assert_eq!(rented(Some(1)), (small, seen), "what was seen was held");
}

#[test]
fn people_and_migration_are_off_until_asked_for() {
    let runs = [run()];
    let lines = |scenario: &bench_reports::cost::Scenario| {
        let pricing = priced(&runs, &book("aws"), scenario).unwrap();
        let offer = pricing.families[0].offers.iter().find(|o| o.deployment == Deployment::SelfHosted).unwrap();
        offer.bill.lines.iter().map(|l| l.line).collect::<Vec<_>>()
    };
    let plain = lines(&scenario());
    assert!(!plain.contains(&Line::Operations) && !plain.contains(&Line::Migration));
    let mut asked = scenario();
    asked.operations_fte = bench_reports::cost::Count::new(0.5);
    asked.migration = bench_reports::cost::Amount::new(50_000.0).map(|a| (a, 12));
    let with = lines(&asked);
    assert!(with.contains(&Line::Operations) && with.contains(&Line::Migration));
}

#[test]
fn a_type_or_an_engine_that_is_not_there_is_named() {
    let refused = |change: &dyn Fn(&mut bench_reports::cost::Scenario)| {
        let mut scenario = scenario();
        change(&mut scenario);
        priced(&[fixture::run()], &book("azure"), &scenario).unwrap_err().to_string()
    };
    let instance = refused(&|s| s.instance = Some("m6i.large".into()));
    assert!(instance.starts_with("price book `azure` has no instance `m6i.large`; it has D4s_v5, "), "{instance}");
    let engine = refused(&|s| s.price_as = [("dask".to_owned(), "spark".to_owned())].into());
    assert_eq!(engine, "engine `dask` took part in none of the runs; these did: datafusion, datafusion-1t, stagedag");
}
