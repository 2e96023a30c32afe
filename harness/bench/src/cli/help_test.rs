//! What every `--help` prints, as files under `snapshots/`, so that a change of a flag shows in review.

use super::Cli;
use clap::{Command, CommandFactory};

/// Visible commands, depth first, with their full names.
fn visible(command: &Command, name: &str, found: &mut Vec<(String, Command)>) {
    found.push((name.to_owned(), command.clone()));
    for child in command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help") {
        visible(child, &format!("{name}-{}", child.get_name()), found);
    }
}

#[test]
fn every_help_is_as_recorded() {
    let mut root = Cli::command().term_width(100);
    root.build();
    let mut found = Vec::new();
    visible(&root, "bench", &mut found);
    assert_eq!(found.len(), 36);
    for (name, mut command) in found {
        let help = command.render_long_help().to_string();
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{name}: a line is longer than 100 columns");
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, help));
    }
}

#[test]
fn every_option_says_what_it_does_in_a_sentence() {
    let mut found = Vec::new();
    visible(&Cli::command(), "bench", &mut found);
    for (name, command) in found {
        for option in command.get_arguments() {
            let help = option.get_help().map(ToString::to_string).unwrap_or_default();
            let first = help.chars().next();
            assert!(first.is_some_and(char::is_uppercase), "{name} {}: {help:?}", option.get_id());
        }
    }
}

#[test]
fn commands_that_do_not_exist_yet_are_not_shown() {
    let help = Cli::command().render_long_help().to_string();
    for absent in ["engine-host", "engine-keeper", "gate-proof", "answers"] {
        assert!(!help.contains(absent), "{absent}");
    }
}

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
}
