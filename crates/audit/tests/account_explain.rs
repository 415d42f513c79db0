//! The draft of an explanation: what it says to one person, what it leaves to the deployer, and what of others it keeps to itself.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod agentic;
mod sealed;
mod world;

use std::path::Path;

use agentic::{Agentic, agentic};
use inferlog_audit::account::{Account, ExplainError, Explanation, explain, reconstruct};
use inferlog_audit::{Openings, StoryOptions};
use inferlog_record::Pseudonym;
use world::DIR;

fn account(world: &Agentic, openings: bool) -> Account {
    let openings = openings.then_some(&world.sealer.vault as &dyn Openings);
    let options = StoryOptions { openings, ..StoryOptions::default() };
    reconstruct(&world.sealer.world.fs, Path::new(DIR), world.draft.decision, &options, None).unwrap()
}

fn to(world: &Agentic, person: &str) -> Explanation {
    explain(&account(world, true), Some(person.parse().unwrap())).unwrap()
}

/// Every form of it.
fn forms(draft: &Explanation) -> [String; 3] {
    [draft.to_text(), draft.to_markdown(), draft.to_html()]
}

/// Something of every content of the applicant that a draft may show, as all forms show it.
const OF_THE_APPLICANT: [&str; 6] = [
    "nurse",
    "permanent since 2019",
    "We cannot offer you",
    "742 euros",
    "was repaid on 28 November",
    "disposable income after all instalments",
];
/// Something of what no draft shows: documents, tools' arguments and results, reasoning, prompts, what the model was sent.
const OF_NOBODY: [&str; 8] = [
    "must remain for a household",
    "payslips",
    "negative_entries",
    "negative entries",
    "being maintained",
    "I ask the credit bureau",
    "You prepare decisions",
    "Application: 18,000",
];

#[test]
fn the_draft_is_as_it_was() {
    let world = agentic();
    let draft = to(&world, &world.applicant);
    insta::assert_snapshot!("explain-text", draft.to_text());
    insta::assert_snapshot!("explain-md", draft.to_markdown());
    insta::assert_binary_snapshot!("explain.html", draft.to_html().into_bytes());
}

#[test]
fn a_person_is_shown_their_own_and_nothing_of_others() {
    let world = agentic();
    for form in forms(&to(&world, &world.applicant)) {
        let form = form.replace('\\', "").replace("\n    | ", " ");
        for shown in OF_THE_APPLICANT {
            assert!(form.contains(shown), "{shown}: {form}");
        }
        for hidden in OF_NOBODY.iter().chain(&["surety", "3400"]) {
            assert!(!form.contains(hidden), "{hidden}: {form}");
        }
        assert!(form.contains("another person’s"), "what the guarantor said is withheld, and that is said");
    }
    for form in forms(&to(&world, &world.guarantor)) {
        for hidden in OF_NOBODY.iter().chain(&OF_THE_APPLICANT).chain(&["18,000", "412"]) {
            assert!(!form.contains(hidden), "{hidden}: {form}");
        }
        assert!(form.contains("erased on request"));
    }
}

#[test]
fn of_several_persons_none_is_shown_unless_named() {
    let world = agentic();
    let draft = explain(&account(&world, true), None).unwrap();
    for form in forms(&draft) {
        for hidden in OF_NOBODY.iter().chain(&OF_THE_APPLICANT).chain(&["surety"]) {
            assert!(!form.contains(hidden), "{hidden}: {form}");
        }
        assert!(form.contains("name one with"));
    }
    let stranger = Pseudonym::new([9; 16]);
    let refused = explain(&account(&world, true), Some(stranger)).unwrap_err();
    assert!(matches!(&refused, ExplainError::NotAbout { subject, .. } if *subject == stranger));
    assert!(refused.to_string().contains(&world.applicant), "{refused}");
}

#[test]
fn nobody_s_data_is_everybody_s_and_is_not_shown() {
    let world = agentic();
    let mut account = account(&world, true);
    account.identity.subjects.clear();
    account.steps.iter_mut().for_each(|step| step.subjects.clear());
    let draft = explain(&account, None).unwrap();
    for form in forms(&draft) {
        for hidden in OF_NOBODY.iter().chain(&OF_THE_APPLICANT) {
            assert!(!form.contains(hidden), "{hidden}");
        }
        assert!(form.contains("does not say whom this decision is about"));
    }
}

#[test]
fn one_alone_need_not_be_named() {
    let world = agentic();
    let mut account = account(&world, true);
    account.identity.subjects.retain(|subject| *subject == world.applicant);
    let draft = explain(&account, None).unwrap();
    assert!(draft.to_text().contains("nurse"));
}

#[test]
fn what_is_bound_to_another_too_is_not_shown() {
    let world = agentic();
    let mut account = account(&world, true);
    account.steps[0].subjects.push(world.guarantor.clone());
    let draft = explain(&account, Some(world.applicant.parse().unwrap())).unwrap();
    let text = draft.to_text();
    assert!(!text.contains("nurse") && text.contains("it is about other persons too"), "{text}");
    assert!(text.contains("permanent since 2019"), "the rest is");
}

#[test]
fn it_says_that_it_is_a_draft_and_what_it_cannot_say() {
    let world = agentic();
    for form in forms(&to(&world, &world.applicant)) {
        let form = form.replace('\\', "").replace(['\n'], " ");
        let said = [
            "This is a draft",
            "does not show why a model weighs things",
            "[to be completed by the deployer:",
            "Article 86(1)",
            "the organisation to judge",
        ];
        for said in said {
            assert!(form.contains(said), "{said}: {form}");
        }
        assert!(form.matches("to be completed by the deployer").count() >= 9);
    }
    let sealed = explain(&account(&world, false), Some(world.applicant.parse().unwrap())).unwrap();
    assert!(sealed.to_text().contains("made without the keys"));
}

#[test]
fn content_of_others_cannot_become_markup() {
    let world = agentic();
    let mut account = account(&world, true);
    let attack = "# </pre><script>alert(1)</script> [x](javascript:y) \u{202e}\n- *b*";
    let payload = account.output.r#final[0].payload;
    let held = account.contents.get_mut(&payload).unwrap();
    held.content = Some(inferlog_audit::PayloadContent::Text(attack.to_owned()));
    let draft = explain(&account, Some(world.applicant.parse().unwrap())).unwrap();
    let [text, markdown, html] = forms(&draft);
    assert!(text.contains("⟨U+202E⟩") && !text.contains('\u{202e}'));
    assert!(markdown.contains("> \\# \\</pre\\>\\<script\\>alert(1)\\</script\\> \\[x\\](javascript:y) ⟨U+202E⟩  \n> \\- \\*b\\*"), "{markdown}");
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;"));
}
