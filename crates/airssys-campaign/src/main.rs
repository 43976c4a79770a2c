//! The command: `list`, or a campaign by its name.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use airssys_campaign::{ALL, Campaign, Options, find, run};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, Command, value_parser};

const LIST: &str = "list";

/// What clap exits with, too.
const BAD_USAGE: u8 = 2;

fn main() -> ExitCode {
    if let Some(code) = airssys_campaign::round() {
        return code;
    }
    let matches = command().get_matches();
    let name: &String = matches.get_one("campaign").expect("clap requires it");
    let options = Options {
        count: matches.get_one("count").copied(),
        seconds: matches.get_one("seconds").copied(),
        seed: matches.get_one("seed").copied(),
        json: matches.get_flag("json"),
        write: matches.get_one("write").cloned(),
    };
    if options.write.is_some() && name != "mutants" {
        eprintln!("--write: `{name}` has no document to write; only `mutants` has");
        return ExitCode::from(BAD_USAGE);
    }
    match find(name) {
        Some(campaign) => run(campaign, &options),
        None => list(options.json),
    }
}

fn command() -> Command {
    let number = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("N")
            .value_parser(value_parser!(u64).range(1..))
            .help(help)
    };
    let names = std::iter::once(LIST).chain(ALL.iter().map(|campaign| campaign.name));
    Command::new("airssys-campaign")
        .about("Fault campaigns: each says what it did, and exits with 1 if a promise was broken")
        .after_help(
            "Exit codes: 0, no violation; 1, at least one; 2, bad usage; 3, the campaign could not do its part.\n\
             The last line on stdout is one JSON object with campaign, trials, violations and seed.",
        )
        .arg(
            Arg::new("campaign")
                .required(true)
                .value_name("NAME")
                .value_parser(PossibleValuesParser::new(names))
                .help("`list`, or the campaign's name"),
        )
        .arg(number("count", "How many trials; see `list` for what is counted"))
        .arg(number("seconds", "End after so many seconds, if the count isn't reached before"))
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("K")
                .value_parser(value_parser!(u64))
                .help("Bring the draws of an earlier run back"),
        )
        .arg(
            Arg::new("write")
                .long("write")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .help("Keep the table of `mutants` as this document, with every scenario in it"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Nothing on stdout but JSON lines"),
        )
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn list(json: bool) -> ExitCode {
    for campaign in &ALL {
        if json {
            // None of these needs escapes.
            let Campaign {
                name,
                question,
                unit,
                ..
            } = campaign;
            println!(r#"{{"campaign":"{name}","question":"{question}","counts":"{unit}"}}"#);
        } else {
            println!(
                "{:<20} {} ({})",
                campaign.name, campaign.question, campaign.unit
            );
        }
    }
    ExitCode::SUCCESS
}
