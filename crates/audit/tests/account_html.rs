//! An agent's decision as a page for a browser: what stands on it, and that nothing of others becomes a part of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod agentic;
mod sealed;
mod world;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use agentic::{Agentic, agentic};
use inferlog_audit::account::{Account, reconstruct, to_html};
use inferlog_audit::{Openings, StoryOptions};
use inferlog_record::body::{Outcome, Output, Reasoning, ReasoningForm};
use inferlog_record::{Id, MediaType, PayloadRole as Role};
use sealed::Sealer;
use world::{DIR, closed, inference, opened};

fn account(sealer: &Sealer, decision: Id, openings: bool) -> Account {
    let openings = openings.then_some(&sealer.vault as &dyn Openings);
    let options = StoryOptions { openings, ..StoryOptions::default() };
    reconstruct(&sealer.world.fs, Path::new(DIR), decision, &options, None).unwrap()
}

fn page(world: &Agentic, openings: bool) -> String {
    to_html(&account(&world.sealer, world.draft.decision, openings))
}

#[test]
fn the_fixture_is_what_it_says() {
    let world = agentic();
    let account = account(&world.sealer, world.draft.decision, true);
    assert_eq!((account.steps.len(), account.retrievals.len(), account.tools.len()), (19, 2, 4));
    assert_eq!(account.problems, [] as [String; 0]);
    assert!(account.proof.proved);
    assert_eq!(account.identity.subjects, [world.applicant, world.guarantor]);
}

#[test]
fn the_page_is_as_it_was() {
    let world = agentic();
    let html = page(&world, true);
    assert_eq!(html, page(&world, true), "deterministic");
    insta::assert_binary_snapshot!("account.html", html.into_bytes());
}

#[test]
fn a_sealed_account_shows_no_content_and_says_so() {
    let world = agentic();
    let html = page(&world, false);
    for content in [
        "nurse",
        "2,950",
        "10317",
        "decline",
        "We can offer",
        "repaid on 28 November",
        "no arrears",
        "LP-4.2",
    ] {
        assert!(!html.contains(content), "{content}");
    }
    assert!(html.contains("this account was made without the keys"));
    check(&html);
}

#[test]
fn the_page_says_what_must_be_said() {
    let world = agentic();
    let html = page(&world, true);
    for said in [
        "names one model exactly",
        "override",
        "21 days after the decision",
        "proved",
        "tried again in",
        "failed for good",
        "<del> The applicant lives in postcode 10317, where loans fail more often than elsewhere.</del>",
        "We <del>cannot</del><ins>can</ins> offer you",
        "Larger than the limit".to_lowercase().as_str(),
        "erased under the erasure event",
        "version of atlas-credit",
        "clock synchronised",
        "whether the obligations of Regulation (EU) 2024/1689",
        "inferlog receipt check",
        "0.9124",
    ] {
        assert!(html.contains(said), "{said}");
    }
    assert!(!html.contains("stand surety"), "what was erased");
    check(&html);
}

/// One file that loads nothing and runs nothing; every link leads to something on it.
fn check(html: &str) {
    for never in [
        "<script",
        "javascript:",
        "src=",
        "url(http",
        "@import",
        "<link",
        "<iframe",
        "<object",
        " onerror",
        " onload",
        "http://",
        "https://",
    ] {
        assert!(!html.contains(never), "{never}");
    }
    assert!(html.contains("default-src 'none'"));
    let ids: Vec<&str> = between(html, " id=\"").collect();
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "an id stands twice");
    for link in between(html, "href=\"") {
        let anchor = link.strip_prefix('#').unwrap_or_else(|| panic!("a link out of the page: {link}"));
        assert!(unique.contains(anchor), "{anchor}");
    }
    for (open, close) in [
        ("<details", "</details>"),
        ("<section", "</section>"),
        ("<figure", "</figure>"),
        ("<dl", "</dl>"),
        ("<div", "</div>"),
        ("<svg", "</svg>"),
        ("<table", "</table>"),
    ] {
        assert_eq!(html.matches(open).count(), html.matches(close).count(), "{open}");
    }
}

/// What stands after each such text, up to the next quote.
fn between<'h>(html: &'h str, begin: &'h str) -> impl Iterator<Item = &'h str> {
    html.split(begin).skip(1).filter_map(|rest| rest.split('"').next())
}

/// A decision of one model call whose contents are these.
fn decision(sealer: &mut Sealer, contents: &[(Role, MediaType, &[u8])]) -> Id {
    let mut draft = sealer.begin("Mallory");
    let begun = sealer.world.event("credit", opened("score"));
    let mut call = sealer.world.event("credit", inference());
    call.after = vec![begun.id].into();
    let mut output = sealer.world.event("credit", Output::default());
    output.after = vec![call.id].into();
    let mut thought = sealer.world.event("credit", Reasoning { form: ReasoningForm::Full });
    thought.parent = Some(call.id);
    for (role, media_type, content) in contents {
        let event = match role {
            Role::OutputProcessed | Role::OutputFinal | Role::Explanation => &mut output,
            Role::Reasoning => &mut thought,
            _ => &mut call,
        };
        sealer.add(&mut draft, event, *role, *media_type, content);
    }
    let mut end = sealer.world.event("credit", closed(Outcome::Answered));
    end.after = vec![output.id].into();
    sealer.write(&mut draft, vec![begun, call, thought, output, end]);
    sealer.world.integrate();
    draft.decision
}

#[test]
fn hostile_content_stays_content() {
    let attacks = [
        "</script><script>alert(1)</script><img src=x onerror=alert(1)>",
        "\"><a href=\"https://evil.example\">x</a><style>*{display:none}</style>",
        "</pre></details></section></main><iframe srcdoc='<b>'></iframe>",
        "\u{202e}drawer\u{202c} \u{2066}\u{feff}\u{200b}\u{e0041}\u{0}\u{1b}[2J\u{7f}",
        "{\"a\": \"</pre><script>\", \"b\": [1, 2",
        "]]>--><!--<![CDATA[",
    ];
    let all = attacks.join("\n");
    let json = serde_json::to_string(&attacks).unwrap();
    let mut sealer = Sealer::new();
    let contents: [(Role, MediaType, &[u8]); 8] = [
        (Role::InputAssembled, MediaType::Json, json.as_bytes()),
        (Role::Prompt, MediaType::Text, all.as_bytes()),
        (Role::ParamsRequested, MediaType::Json, all.as_bytes()),
        (Role::OutputRaw, MediaType::Html, all.as_bytes()),
        (Role::Reasoning, MediaType::Text, attacks[0].as_bytes()),
        (Role::OutputProcessed, MediaType::Text, b"</pre>\xff\xfe<script>"),
        (Role::OutputFinal, MediaType::Text, attacks[3].as_bytes()),
        (Role::Explanation, MediaType::Json, json.as_bytes()),
    ];
    let id = decision(&mut sealer, &contents);
    let html = to_html(&account(&sealer, id, true));
    // Of what the attacks say nothing is left as markup; as text all of it is there.
    let text = html
        .replace("&lt;img src=x onerror=alert(1)&gt;", "")
        .replace("https://evil.example", "")
        .replace(" href=&quot;", "");
    check(&text);
    assert!(html.contains("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(html.contains("⟨U+202E⟩drawer⟨U+202C⟩") && html.contains("⟨U+E0041⟩⟨U+0000⟩⟨U+001B⟩[2J⟨U+007F⟩"));
    let hidden =
        |c: char| (c.is_control() && c != '\n' && c != '\t') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!html.contains(hidden));
}

#[test]
fn megabytes_are_cut_and_their_length_is_stated() {
    let long = "größer und größer\n".repeat(150_000);
    let json = format!("{{\"a\":[{}1]}}", "1,".repeat(400_000));
    let mut sealer = Sealer::with_segments(16 << 20);
    let contents: [(Role, MediaType, &[u8]); 4] = [
        (Role::OutputRaw, MediaType::Text, long.as_bytes()),
        (Role::InputAssembled, MediaType::Json, json.as_bytes()),
        (Role::OutputFinal, MediaType::Text, long.as_bytes()),
        (Role::OutputProcessed, MediaType::Bytes, &[0xff; 900_000]),
    ];
    let id = decision(&mut sealer, &contents);
    let html = to_html(&account(&sealer, id, true));
    assert!(html.len() < 400_000, "{}", html.len());
    let whole = format!("inferlog reconstruct {id} --format json");
    assert!(html.contains("3.3 MB in all; the first 65.5 kB stand here. The whole of it: <code>"));
    assert!(html.contains(&whole) && html.contains("1.2 MB of base64 in all"));
    check(&html);
}

#[test]
fn thousands_of_steps_are_folded_and_quick() {
    let mut sealer = Sealer::with_segments(8 << 20);
    let mut draft = sealer.begin("Ada");
    let begun = sealer.world.event("credit", opened("score"));
    let mut before = begun.id;
    sealer.write(&mut draft, vec![begun]);
    for _ in 0..60 {
        let mut events = Vec::new();
        for _ in 0..50 {
            sealer.world.tick(1_000_000);
            let mut call = sealer.world.event("credit", inference());
            call.after = vec![before].into();
            before = call.id;
            sealer.add(
                &mut draft,
                &mut call,
                Role::OutputRaw,
                MediaType::Text,
                b"a short answer of the model",
            );
            events.push(call);
        }
        sealer.write(&mut draft, events);
    }
    sealer.world.integrate();
    let account = account(&sealer, draft.decision, true);
    assert_eq!(account.steps.len(), 3_001);
    let began = Instant::now();
    let html = to_html(&account);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(html.contains("<details class=\"turn\">"));
    assert!(html.contains("2,980 model calls more"));
    assert!(html.len() < 6_000_000, "{}", html.len());
    assert!(html.matches("<svg class=\"n ").count() < 140);
    check(&html);
}
