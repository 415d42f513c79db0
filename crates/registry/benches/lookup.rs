//! What a lookup takes among five hundred templates and as many texts: `cargo bench -p inferlog-registry`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement reads the clock and prints"
)]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use inferlog_disk::sim::SimFs;
use inferlog_record::{ClearName, Timestamp};
use inferlog_registry::{Registration, Registry};

const PROMPTS: usize = 500;
const LOOKUPS: usize = 10_000;
const RUNS: usize = 5;

fn main() {
    let registry = Registry::open(Arc::new(SimFs::new(1)), Path::new("/registry")).unwrap();
    let manners = "Answer in the language of the question, and say so when you do not know. ".repeat(20);
    let begins = |n: usize| format!("You are a helpful assistant of department {n}. {manners}");
    let prompt =
        |name: String, text: String| Registration::prompt(ClearName::new(&name).unwrap(), None, text);
    let template = |n| prompt(format!("t{n}"), begins(n) + "Customer: {{name}}.\nOrder: {{order}}.\n");
    let text = |n| prompt(format!("x{n}"), begins(n));
    let tool = |n: usize| {
        format!(
            r#"{{"type":"function","function":{{"name":"tool{n}","description":"{manners}","parameters":{{"type":"object"}}}}}}"#
        )
    };
    let all: Vec<_> = (0..PROMPTS)
        .flat_map(|n| {
            [template(n), text(n), Registration::tools(ClearName::new("tool").unwrap(), None, tool(n))]
        })
        .collect();
    registry.add_all(&all, Timestamp::default()).unwrap();
    let filled = |n: usize| begins(n % PROMPTS) + "Customer: Ada Lovelace.\nOrder: 4711, two lines.\n";
    let tools = format!("[{}]", (0..10).map(tool).collect::<Vec<_>>().join(", "));
    measure("a template, filled", filled, |text| registry.snapshot().match_prompt(text).is_some());
    measure(
        "a registered text",
        |n| begins(n % PROMPTS),
        |text| registry.snapshot().match_prompt(text).is_some(),
    );
    measure(
        "a text that begins like all templates and is none",
        |n| format!("You are a helpful assistant of department {n}, called {manners}"),
        |text| registry.snapshot().match_prompt(text).is_none(),
    );
    measure(
        "a user's words",
        |n| format!("{n}: {manners}"),
        |text| registry.snapshot().match_prompt(text).is_none(),
    );
    measure(
        "ten tools",
        |_| tools.clone(),
        |json| registry.snapshot().match_tools(json.as_bytes()).is_some(),
    );
}

fn measure(what: &str, text: impl Fn(usize) -> String, lookup: impl Fn(&str) -> bool) {
    let texts: Vec<String> = (0..LOOKUPS).map(text).collect();
    let run = || {
        let start = Instant::now();
        let found = texts.iter().filter(|text| lookup(black_box(text))).count();
        assert_eq!(found, LOOKUPS, "{what}");
        start.elapsed().as_nanos() as f64 / LOOKUPS as f64
    };
    let nanos = (0..RUNS).map(|_| run()).fold(f64::INFINITY, f64::min);
    println!("{what} ({} bytes): {nanos:.0} ns", texts[0].len());
}
