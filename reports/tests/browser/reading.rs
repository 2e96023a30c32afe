//! The page in a real browser: nothing complains, everything is legible, and a keyboard is enough.

use crate::chromium::Browser;
use crate::fixture;
use crate::samples::{costs_alone, hostile, page_of, pages, samples};
use bench_record::Run;

/// The page of these runs in a browser. The folder lives as long as the file is needed.
fn open(runs: &[Run]) -> (Browser, tempfile::TempDir) {
    open_page(&page_of(runs))
}

fn open_page(page: &str) -> (Browser, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.html");
    std::fs::write(&file, page).unwrap();
    (Browser::open(&file), folder)
}

/// The least contrast of any text to what is behind it, with that text: WCAG 2 asks for 4.5, or 3 where it is large.
const CONTRAST: &str = r"(() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (color) => {
    const [r, g, b] = rgba(color).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (rgba(color)[3] === 255) return color;
    }
    return 'white';
  };
  let worst = [99, ''];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.textContent.trim() || e.closest('script, style') || !e.checkVisibility()) continue;
    seen += 1;
    const style = getComputedStyle(e);
    const [a, b] = [light(e.closest('svg') ? style.fill : style.color), light(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, `${node.textContent} in ${e.tagName}.${e.className}`];
  }
  return { least: worst[0], of: worst[1], seen };
})()";

/// Opens everything that is folded.
const OPEN: &str = "document.querySelectorAll('details').forEach((d) => { d.open = true; })";

/// What sticks out of the window to the right, unless it scrolls by itself.
const OVERFLOWING: &str = r"(() => {
  const out = [...document.querySelectorAll('body *')].filter((e) =>
    e.checkVisibility() && !e.closest('.skip, .wide, .cost-scroll, .cost-figure, .claims-wide') && e.getBoundingClientRect().right > innerWidth + 0.5);
  return [document.documentElement.scrollWidth - innerWidth, out.slice(0, 5).map((e) => e.outerHTML.slice(0, 120))];
})()";

pub(crate) fn the_page_is_legible_and_fits_in_both_themes_on_desktop_and_phone() {
    for (name, page) in pages() {
        let (mut browser, _folder) = open_page(&page);
        for (theme, width) in [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)] {
            browser.look(width, theme);
            // What is folded is read too, once somebody opens it.
            browser.eval(OPEN);
            let contrast = browser.eval(CONTRAST);
            assert!(contrast["seen"].as_u64().unwrap() > 50, "{contrast}");
            assert!(contrast["least"].as_f64().unwrap() >= 4.5, "{name}, {theme}: {contrast}");
            let overflowing = browser.eval(OVERFLOWING);
            assert!(overflowing[0].as_f64().unwrap() <= 0.0, "{name}, {width}: {overflowing}");
            assert_eq!(overflowing[1].as_array().unwrap().len(), 0, "{name}, {width}: {overflowing}");
            browser.picture(&format!("{name}-{theme}-{width}"));
        }
        let dark = browser.eval("getComputedStyle(document.body).backgroundColor");
        browser.look(1280, "light");
        assert_ne!(browser.eval("getComputedStyle(document.body).backgroundColor"), dark);
        assert_eq!(browser.errors, Vec::<String>::new(), "{name}");
    }
}

/// Tabs on until the expression about `document.activeElement` holds.
fn tab_to(browser: &mut Browser, what: &str) {
    for _ in 0..400 {
        browser.press("Tab");
        if browser.eval(&format!("(e => {what})(document.activeElement)")) == true {
            return;
        }
    }
    panic!("no key press reaches it: {what}");
}

pub(crate) fn a_keyboard_sorts_filters_and_changes_the_theme() {
    let (mut browser, _folder) = open(&[fixture::run()]);
    browser.look(1280, "light");
    tab_to(&mut browser, "e.id === 'theme'");
    browser.press("Enter");
    assert_eq!(browser.eval("document.documentElement.dataset.theme"), "dark");

    tab_to(&mut browser, "e.type === 'search'");
    for letter in ["q", "1", "8"] {
        browser.press(letter);
    }
    let table = "document.querySelector('table[data-filter]')";
    let shown = format!("[...{table}.tBodies[0].rows].filter((r) => !r.hidden).map((r) => r.cells[0].textContent)");
    assert_eq!(browser.eval(&format!("{shown}.join()")), "tpch-q18,tpch-q18,tpch-q18");
    assert_eq!(browser.eval("document.querySelector('.filter output').textContent"), "3 of 12");
    browser.eval("(f => { f.value = ''; f.dispatchEvent(new Event('input')); })(document.activeElement)");

    tab_to(&mut browser, "e.tagName === 'BUTTON' && e.textContent.startsWith('time ')");
    browser.press("Enter");
    let times = format!(
        "[...{table}.tBodies[0].rows].map((r) => r.cells[2].dataset.v).filter((v) => v !== undefined).map(Number)"
    );
    let is_sorted =
        |up: bool| format!("(t => t.every((v, i) => !i || (t[i-1] <= v) === {up} || t[i-1] === v))({times})");
    assert_eq!(browser.eval(&is_sorted(true)), true);
    browser.press(" ");
    assert_eq!(browser.eval(&is_sorted(false)), true);
    assert_eq!(browser.eval(&format!("{table}.querySelector('[aria-sort]').getAttribute('aria-sort')")), "descending");
    assert_eq!(browser.errors, Vec::<String>::new());
}

pub(crate) fn a_number_leads_to_its_observations_with_and_without_the_script() {
    for script in [true, false] {
        let (mut browser, folder) = open(&[fixture::run()]);
        browser.call("Emulation.setScriptExecutionDisabled", serde_json::json!({"value": !script}));
        browser.load(&folder.path().join("report.html"));
        browser.call("Emulation.setScriptExecutionDisabled", serde_json::json!({"value": false}));
        let link = "[...document.querySelectorAll('table[data-filter] a.o')].find((a) => a.textContent === '512.0')";
        browser.eval(&format!("{link}.click()"));
        browser.eval("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 300)))");
        let target = "document.querySelector('.case:target')";
        let text = browser.eval(&format!("{target}.textContent"));
        assert!(text.as_str().unwrap().contains("tpch-q01.stagedag."), "{text}");
        assert_eq!(browser.eval(&format!("{target}.checkVisibility()")), true, "script: {script}");
    }
}

pub(crate) fn what_is_folded_opens_by_keyboard_and_is_there_on_paper() {
    let (mut browser, _folder) = open(&[fixture::run()]);
    browser.look(1280, "light");
    let count = browser.eval("document.querySelectorAll('details').length").as_u64().unwrap();
    assert!(count >= 5, "{count} folded parts");
    let row = "document.querySelector('details.obs tbody tr')";
    assert_eq!(browser.eval(&format!("{row}.checkVisibility()")), false);
    // Printed, everything is there, opened or not.
    browser.call("Emulation.setEmulatedMedia", serde_json::json!({"media": "print"}));
    assert_eq!(browser.eval(&format!("{row}.getBoundingClientRect().height > 0")), true);
    assert_eq!(browser.eval("[...document.querySelectorAll('details')].some((d) => d.open)"), false);
    browser.look(1280, "light");
    tab_to(&mut browser, "e.tagName === 'SUMMARY' && e.parentElement.className === 'obs'");
    browser.press("Enter");
    assert_eq!(browser.eval("document.activeElement.parentElement.open"), true);
    assert_eq!(browser.eval("document.activeElement.parentElement.querySelector('tbody tr').checkVisibility()"), true);
    assert_eq!(browser.errors, Vec::<String>::new());
}

/// What is cut off on paper.
const CUT: &str = "[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1)\
                   .map((e) => e.tagName + ' ' + e.textContent.slice(0, 40)).slice(0, 5).join('; ')";

/// What the narrower of the usual papers (A4, with the margins of browsers) is wide, in pixels of CSS.
const PAPER: u32 = 718;

pub(crate) fn nothing_is_cut_off_on_paper_and_ink_is_dark_on_white() {
    for (name, page) in pages() {
        let (mut browser, _folder) = open_page(&page);
        // Whatever the reader's theme is.
        browser.look(PAPER, "dark");
        browser.eval("document.documentElement.dataset.theme = 'dark'");
        browser.call("Emulation.setEmulatedMedia", serde_json::json!({"media": "print"}));
        assert_eq!(browser.eval(CUT), "", "{name}");
        let white = browser.eval("getComputedStyle(document.body).backgroundColor");
        assert_eq!(white, "rgb(255, 255, 255)", "{name}");
        let contrast = browser.eval(CONTRAST);
        assert!(contrast["least"].as_f64().unwrap() >= 4.5, "{name}: {contrast}");
    }
}

pub(crate) fn what_did_not_complete_leads_to_its_observations() {
    let (mut browser, _folder) = open(&[fixture::run()]);
    let led = |browser: &mut Browser, from: &str| {
        let target = format!("(a => a && document.querySelector(a.getAttribute('href')))({from})");
        browser.eval(&format!("({target})?.textContent ?? 'no link'")).as_str().unwrap().to_owned()
    };
    let wrong = led(&mut browser, "document.querySelector('#wrong-answers li a.o')");
    assert!(wrong.contains("tpch-q21.stagedag.") && wrong.contains("row 3 differs"), "{wrong}");
    let cell = "[...document.querySelectorAll('td .tag.bad a.o')].find((a) => a.closest('tr').textContent.includes('timed out'))";
    let ended = led(&mut browser, cell);
    assert!(ended.contains("tpch-q18.datafusion-1t.") && ended.contains("no answer after 60 s"), "{ended}");

    let faults = samples().into_iter().find(|(name, _)| *name == "faults").unwrap().1;
    let (mut browser, _folder) = open(&faults);
    let void = led(
        &mut browser,
        "[...document.querySelectorAll('main li a.o')].find((a) => a.textContent.includes('void trial'))",
    );
    assert!(void.contains(", void: "), "{void}");
}

pub(crate) fn every_link_within_the_page_has_a_target_and_every_id_is_unique() {
    for (name, page) in pages() {
        let (mut browser, _folder) = open_page(&page);
        let broken = "[...document.querySelectorAll('a[href]')].map((a) => a.getAttribute('href')).filter((h) => \
                      !h.startsWith('#') || !document.getElementById(h.slice(1))).join()";
        assert_eq!(browser.eval(broken), "", "{name}");
        let twice = "(ids => ids.filter((id, i) => ids.indexOf(id) !== i).join())([...document.querySelectorAll('[id]')].map((e) => e.id))";
        assert_eq!(browser.eval(twice), "", "{name}");
        let silent = "[...document.querySelectorAll('svg')].filter((s) => !s.getAttribute('aria-label') || s.getAttribute('role') !== 'img').length";
        assert_eq!(browser.eval(silent), 0, "{name}");
        assert_eq!(browser.eval("document.querySelectorAll('main, header, nav, footer').length"), 4);
        assert_eq!(browser.eval("document.querySelectorAll('h1').length"), 1);
    }
}

pub(crate) fn text_from_results_is_shown_and_never_run() {
    let (mut browser, _folder) = open(&[hostile()]);
    assert_eq!(browser.eval("typeof globalThis.hacked"), "undefined");
    let foreign =
        "document.querySelectorAll('img, iframe, object, embed, link, form, base, script:not(body > script)').length";
    assert_eq!(browser.eval(foreign), 0);
    assert_eq!(browser.eval("document.scripts.length"), 1);
    let shown = browser.eval("document.body.textContent.includes('<img src=x onerror=globalThis.hacked=1>')");
    assert_eq!(shown, true);
    assert_eq!(browser.errors, Vec::<String>::new());
    // Even markup that got onto the page would find the policy in its way.
    browser.eval(
        "(() => { const s = document.createElement('script'); s.textContent = 'globalThis.hacked = 1'; document.body.append(s); \
         document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=globalThis.hacked=1>'); })()",
    );
    browser.eval("new Promise((done) => setTimeout(done, 200))");
    assert_eq!(browser.eval("typeof globalThis.hacked"), "undefined");
    assert!(browser.errors.iter().any(|e| e.contains("Content Security Policy")), "{:?}", browser.errors);
}

pub(crate) fn costs_alone_are_legible_and_fit_on_a_phone_and_on_paper() {
    let (mut browser, _folder) = open_page(&costs_alone());
    for (theme, width) in [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)] {
        browser.look(width, theme);
        browser.eval(OPEN);
        let contrast = browser.eval(CONTRAST);
        assert!(contrast["least"].as_f64().unwrap() >= 4.5, "{theme}: {contrast}");
        let overflowing = browser.eval(OVERFLOWING);
        assert!(overflowing[0].as_f64().unwrap() <= 0.0, "{width}: {overflowing}");
        assert_eq!(overflowing[1].as_array().unwrap().len(), 0, "{width}: {overflowing}");
        browser.picture(&format!("costs-{theme}-{width}"));
    }
    browser.look(PAPER, "dark");
    browser.call("Emulation.setEmulatedMedia", serde_json::json!({"media": "print"}));
    assert_eq!(browser.eval(CUT), "");
    assert_eq!(browser.eval("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)");
    assert!(browser.eval(CONTRAST)["least"].as_f64().unwrap() >= 4.5);
    assert_eq!(browser.errors, Vec::<String>::new());
}
