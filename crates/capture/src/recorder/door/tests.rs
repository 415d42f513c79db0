//! The door alone: content in, content out.

use super::{Door, Given, Passed, Taken};
use bytes::Bytes;
use inferlog_policy::Policy;
use inferlog_record::{DataClass, MediaType, PayloadRole};
use proptest::prelude::*;
use serde_json::{Value, json};

const HEAD: &str = "system = \"s\"\nversion = \"1\"\nprofile = \"other\"\n[[class]]\nname = \"default\"\nfloor = \"1 day\"\n\
                    target = \"2 days\"\nlegal_basis = \"none\"\n";
const ALL: &str = r#"
[[detector]]
name = "email"
kind = "email"
action = "drop"
[[detector]]
name = "iban"
kind = "iban"
action = "split"
[[detector]]
name = "card"
kind = "card"
action = "drop"
[[detector]]
name = "phone"
kind = "phone"
countries = ["DE", "US"]
action = "drop"
[[detector]]
name = "ip"
kind = "ip"
action = "drop"
[[detector]]
name = "id"
kind = "national"
countries = ["DE", "NL", "ES"]
action = "drop"
[[detector]]
name = "people"
kind = "names"
names = ["Erika Mustermann"]
action = "drop"
"#;

fn door(rules: &str) -> Door {
    let text = format!("{HEAD}{rules}");
    Door::new(&Policy::parse(&text).unwrap()).unwrap()
}

/// What is recorded, and what was taken out: `rule action count`, and the splits.
fn pass(
    door: &Door,
    role: PayloadRole,
    media_type: MediaType,
    content: &[u8],
) -> (String, Vec<String>, Vec<String>) {
    let mut taken = Taken::default();
    let given = Given { media_type, class: DataClass::Personal, bytes: Bytes::copy_from_slice(content) };
    let passed = match door.pass(&mut taken, role, given) {
        Passed::Sealed { bytes, .. } => String::from_utf8_lossy(&bytes).into_owned(),
        Passed::Shared { bytes, .. } => format!("shared {}", String::from_utf8_lossy(&bytes)),
        Passed::Redacted => "redacted".to_owned(),
    };
    let counts =
        taken.counts().iter().map(|one| format!("{} {} {}", one.rule, one.action, one.count.0)).collect();
    let splits = taken.splits().map(|(class, bytes)| format!("{class} {}", String::from_utf8_lossy(&bytes)));
    let splits: Vec<String> = splits.collect();
    let shared =
        taken.shared().into_iter().map(|(_, bytes)| format!("shared {}", String::from_utf8_lossy(&bytes)));
    (passed, counts, splits.into_iter().chain(shared).collect())
}

fn json_of(door: &Door, content: &str) -> (String, Vec<String>, Vec<String>) {
    pass(door, PayloadRole::InputRaw, MediaType::Json, content.as_bytes())
}

#[test]
fn what_detectors_find_gives_way_to_marks_and_all_else_stays_as_it_came() {
    let door = door(ALL);
    let (recorded, counts, splits) = json_of(
        &door,
        "{ \"a\" : \"mail m\\u00fcller@example.org, \\u0065\\u0040b.de \\\"now\\\"\",\n\t\"n\":1.50,\"iban\":[\"DE89 3704 0044 0532 0130 00\",\
         \"GB82WEST12345698765432\"],\"card\":4111111111111111,\"who\":\"erika MUSTERMANN\",\"x@y.org\":1,\"z@y.org\":2}",
    );
    assert_eq!(
        recorded,
        "{ \"a\" : \"mail [email], [email] \\\"now\\\"\",\n\t\"n\":1.50,\"iban\":[\"[split:iban:1]\",\"[split:iban:2]\"],\
         \"card\":\"[card]\",\"who\":\"[people]\",\"[email]\":1,\"[email]#2\":2}"
    );
    assert_eq!(counts, ["email redacted 4", "iban split 2", "card redacted 1", "people redacted 1"]);
    let taken =
        r#"personal {"rule":"iban","taken":["DE89 3704 0044 0532 0130 00","GB82WEST12345698765432"]}"#;
    assert_eq!(splits, [taken]);
}

#[test]
fn a_fields_name_is_the_cue_of_its_number() {
    let door = door(ALL);
    let (recorded, ..) = json_of(
        &door,
        r#"{"bsn":"111222333","phone":["2125550123"],"order":"111222333","serial":["2125550123"]}"#,
    );
    assert_eq!(recorded, r#"{"bsn":"[id]","phone":["[phone]"],"order":"111222333","serial":["2125550123"]}"#);
}

#[test]
fn rules_for_fields_keep_split_and_leave_out_by_pointer() {
    let door = door(&format!(
        "[[capture]]\nname = \"free\"\npointer = \"/contact\"\naction = \"keep\"\nclass = \"personal\"\n\
         [[capture]]\nname = \"name\"\npointer = \"/people/*/name\"\naction = \"split\"\n\
         [[capture]]\nname = \"age\"\npointer = \"/people/1/age~1\"\naction = \"drop\"\n\
         [[capture]]\nname = \"terms\"\npointer = \"/terms\"\naction = \"split\"\nclass = \"shared\"\n{ALL}"
    ));
    let (recorded, counts, splits) = json_of(
        &door,
        r#"{"contact":"a@b.de","people":[{"name":{"first":"A"},"age/":1},{"name":"B \" C","age/":2}],"terms":"all","name":"D"}"#,
    );
    let digest = "[shared:terms:";
    assert!(recorded.starts_with(
        r#"{"contact":"a@b.de","people":[{"name":"[split:name:1]","age/":1},{"name":"[split:name:2]","age/":"[age]"}],"terms":"[shared:terms:"#
    ), "{recorded}");
    assert!(recorded.ends_with(r#"]","name":"D"}"#) && recorded.contains(digest), "{recorded}");
    assert_eq!(counts, ["name split 2", "age dropped 1", "terms split 1"]);
    assert_eq!(splits, [r#"personal {"rule":"name","taken":[{"first":"A"},"B \" C"]}"#, "shared \"all\""]);
    // What a detector finds in a field that was to be shared decides.
    let (recorded, counts, splits) = json_of(&door, r#"{"terms":"ask a@b.de"}"#);
    assert_eq!((recorded.as_str(), splits.len()), (r#"{"terms":"ask [email]"}"#, 0));
    assert_eq!(counts, ["email redacted 1"]);
}

#[test]
fn rules_for_whole_payloads() {
    let door = door(&format!(
        "[[capture]]\nname = \"headers\"\nrole = \"headers\"\naction = \"drop\"\n\
         [[capture]]\nname = \"tools\"\nrole = \"tools\"\naction = \"keep\"\nclass = \"shared\"\n\
         [[capture]]\nname = \"why\"\nrole = \"reasoning\"\naction = \"split\"\nclass = \"pseudonymous\"\n\
         [[capture]]\nname = \"secret\"\nrole = \"tool.arguments\"\npointer = \"/secret\"\naction = \"drop\"\n{ALL}"
    ));
    let of = |role, content: &str| pass(&door, role, MediaType::Json, content.as_bytes());
    assert_eq!(of(PayloadRole::Headers, "{}"), ("redacted".into(), vec!["headers dropped 1".into()], vec![]));
    assert_eq!(of(PayloadRole::Tools, "[1]").0, "shared [1]");
    assert_eq!(of(PayloadRole::Tools, r#"["a@b.de"]"#).0, r#"["[email]"]"#);
    let (mark, _, splits) = of(PayloadRole::Reasoning, r#"{"a":"b"}"#);
    assert_eq!(
        (mark.as_str(), splits),
        ("[split:why:1]", vec![r#"pseudonymous {"rule":"why","taken":[{"a":"b"}]}"#.to_owned()])
    );
    // Where the field may be cannot be told of what is no JSON.
    assert_eq!(of(PayloadRole::ToolArguments, r#"{"secret":1,"b":2}"#).0, r#"{"secret":"[secret]","b":2}"#);
    assert_eq!(
        of(PayloadRole::ToolArguments, r#"{"secret":1,"#),
        ("redacted".into(), vec!["secret dropped 1".into()], vec![])
    );
    // The organisation's own accounts stay.
    assert_eq!(of(PayloadRole::Report, r#"{"by":"a@b.de"}"#).0, r#"{"by":"a@b.de"}"#);
}

#[test]
fn pieces_of_answers_are_read_as_one_text_and_journalled_ones_are_left_out() {
    let door = door(ALL);
    let piece = |index: u8, text: &str| {
        format!(
            "data: {{\"model\":\"gpt-4-turbo\",\"choices\":[{{\"index\":{index},\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
        )
    };
    let said = [
        (0, "write to eri"),
        (1, "call +49 30"),
        (0, "ka\\u0040exa"),
        (1, " 901820 now"),
        (0, "mple.org or"),
    ];
    let stream: String =
        said.iter().map(|(index, text)| piece(*index, text)).chain(["data: [DONE]\n\n".into()]).collect();
    let (recorded, counts, _) =
        pass(&door, PayloadRole::OutputRaw, MediaType::EventStream, stream.as_bytes());
    let left = [(0, "write to [email]"), (1, "call [phone]"), (0, ""), (1, " now"), (0, " or")];
    let expected: String =
        left.iter().map(|(index, text)| piece(*index, text)).chain(["data: [DONE]\n\n".into()]).collect();
    assert_eq!(recorded, expected);
    assert_eq!(counts, ["email redacted 1", "phone redacted 1"]);
    let part = pass(&door, PayloadRole::OutputPart, MediaType::EventStream, b"data: {\"a\":");
    assert_eq!(part, ("redacted".into(), vec!["email dropped 1".into()], vec![]));
    // Records of lines are not pieces of one text, and still each is read.
    let lines = "{\"mail\":\"a@b.de\"}\n{\"mail\":\"c@d.org\"}\n";
    let (recorded, ..) = pass(&door, PayloadRole::InputRaw, MediaType::Ndjson, lines.as_bytes());
    assert!(
        !recorded.contains('@') && !recorded.contains("b.de") && !recorded.contains("d.org"),
        "{recorded}"
    );
}

#[test]
fn what_echoes_a_text_in_pieces_goes_with_it() {
    let door = door(ALL);
    let answer = |text: &str| {
        json!({"choices": [{"message": {"content": text}, "logprobs": {"content": [{"token": "eri"}, {"token": "ka"}]}}], "prompt_token_ids": [1, 2]})
            .to_string()
    };
    assert_eq!(json_of(&door, &answer("hello")).0, answer("hello"));
    let (recorded, ..) = json_of(&door, &answer("erika@example.org"));
    assert!(!recorded.contains("eri") && !recorded.contains("[1,2]"), "{recorded}");
    assert!(serde_json::from_str::<Value>(&recorded).is_ok());
}

#[test]
fn what_stands_in_something_that_goes_whole_goes_with_it() {
    let rules = "[[capture]]\nname = \"odds\"\nrole = \"output.raw\"\npointer = \"/choices/*/logprobs\"\naction = \"drop\"\n";
    for (rules, mark) in [("", "email"), (rules, "odds")] {
        let of = |content: &str| {
            pass(&door(&format!("{rules}{ALL}")), PayloadRole::OutputRaw, MediaType::Json, content.as_bytes())
                .0
        };
        let whole = r#"{"choices":[{"text":"a@b.de","logprobs":{"tokens":["a@b.de","now"]}}],"end":1}"#;
        assert_eq!(
            of(whole),
            format!(r#"{{"choices":[{{"text":"[email]","logprobs":"[{mark}]"}}],"end":1}}"#)
        );
        let streamed = of(&format!("data: {whole}\n\ndata: [DONE]\n\n"));
        let expected = r#"{"choices":[{"text":"[email]","logprobs":""#;
        assert!(streamed.starts_with(&format!("data: {expected}[{mark}]\"}}],\"end\":1}}\n")), "{streamed}");
    }
}

#[test]
fn a_field_that_is_left_out_is_in_nothing_that_is_kept() {
    let door =
        door("[[capture]]\nname = \"ssn\"\nrole = \"input.raw\"\npointer = \"/ssn\"\naction = \"drop\"\n");
    let of = |content: &str| pass(&door, PayloadRole::InputRaw, MediaType::EventStream, content.as_bytes()).0;
    let framed = ": hello\r\nevent: a\r\nid: 7\r\ndata: {\"ssn\":1}\r\n\r\ndata: [DONE]\r\n\r\n";
    assert_eq!(of(framed), framed.replace("\"ssn\":1", "\"ssn\":\"[ssn]\""));
    assert_eq!(of("{\"ssn\":1}\n{\"ssn\":2}"), "{\"ssn\":\"[ssn]\"}\n{\"ssn\":\"[ssn]\"}");
    // Broken off, and written over several lines, of which one is JSON by itself.
    for broken in [
        "{\n\"tags\": [\n\"a\"\n],\n\"ssn\": 4711",
        "data: {}\n\ndata: {\"ssn\":\ndata: 4711}\n\n",
        "{}\n{\"ssn\":4711,",
    ] {
        assert_eq!(of(broken), "redacted", "{broken}");
    }
}

#[test]
fn short_lines_between_pieces_are_read() {
    let of = |content: &str| pass(&door(ALL), PayloadRole::InputRaw, MediaType::Text, content.as_bytes()).0;
    assert_eq!(of("{\"a\":1}\n1.2.3.4"), "{\"a\":1}\n[ip]");
}

#[test]
fn what_cannot_be_read_is_kept_or_left_out_as_the_policy_says() {
    let png = b"\x89PNG\r\n\x1a\n\xff a@b.de";
    let (keep, drop) = (door(ALL), door(ALL));
    let drop = Door { unreadable: inferlog_policy::Unreadable::Drop, ..drop };
    for (media_type, content) in
        [(MediaType::Png, &png[..]), (MediaType::Protobuf, b"a@b.de"), (MediaType::Text, b"\xff\xfe a@b.de")]
    {
        assert!(pass(&keep, PayloadRole::InputRaw, media_type, content).0.contains("a@b.de"));
        let left_out = ("redacted".into(), vec!["unreadable dropped 1".into()], vec![]);
        assert_eq!(pass(&drop, PayloadRole::InputRaw, media_type, content), left_out);
    }
    // Bytes that nobody declared and that are text are read.
    assert_eq!(pass(&drop, PayloadRole::InputRaw, MediaType::Bytes, b"to a@b.de").0, "to [email]");
}

#[test]
fn hostile_texts_pass_in_time_and_untouched() {
    let door = door(&format!("[[capture]]\nname = \"deep\"\npointer = \"/*/*/*\"\naction = \"drop\"\n{ALL}"));
    let mut texts = vec![
        format!("{}{}", "[".repeat(200_000), "]".repeat(200_000)),
        "[".repeat(200_000),
        format!("{{{}\"a\":1}}", "\"a\":{},".repeat(100_000)),
        "\"\\".to_owned(),
        "{\"a\":\"\\ud83d\\ud83d x\"}".to_owned(),
        "{\"a\" 1}".to_owned(),
        String::new(),
        "data: {".repeat(10_000),
        format!("data: [{}1]\n\n", "{\"index\":1},".repeat(1000)).repeat(20),
        "@".repeat(300_000),
        "1-".repeat(200_000),
        "+1 ".repeat(200_000),
    ];
    texts.push(format!("\"{}\"", "\\u0040".repeat(50_000)));
    for text in texts {
        let (recorded, counts, _) = json_of(&door, &text);
        let may_change = counts.iter().any(|count| count.starts_with("deep"));
        assert!(may_change || recorded == text, "{}", &text[..text.len().min(60)]);
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z \\\\\"\u{e9}\u{1f600}/\n]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("[a-c~/\\\\\"]{0,4}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// What a pointer leads to, read the plain way.
fn without(value: &mut Value, tokens: &[&str], mark: &str) -> u64 {
    let Some((first, rest)) = tokens.split_first() else {
        *value = mark.into();
        return 1;
    };
    match value {
        Value::Object(map) => map
            .iter_mut()
            .filter(|(key, _)| *first == "*" || key == first)
            .map(|(_, v)| without(v, rest, mark))
            .sum(),
        Value::Array(items) => {
            let fits = |at: usize| *first == "*" || *first == at.to_string();
            items
                .iter_mut()
                .enumerate()
                .filter(|(at, _)| fits(*at))
                .map(|(_, v)| without(v, rest, mark))
                .sum()
        }
        _ => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_untouched_document_stays_byte_for_byte(value in value(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        let door = door(&format!("[[capture]]\nname = \"no\"\npointer = \"/nobody/has/this\"\naction = \"drop\"\n{ALL}"));
        prop_assert_eq!(json_of(&door, &text), (text, vec![], vec![]));
    }

    #[test]
    fn pointers_take_what_a_plain_reader_finds(value in value(), first in "[abc*0]", second in "[abc*1]") {
        let rule = format!("[[capture]]\nname = \"r\"\npointer = \"/{first}/{second}\"\naction = \"drop\"\n");
        let (recorded, counts, _) = json_of(&door(&rule), &value.to_string());
        let mut expected = value.clone();
        let count = without(&mut expected, &[&first, &second], "[r]");
        prop_assert_eq!(counts, if count == 0 { vec![] } else { vec![format!("r dropped {count}")] });
        if value.is_object() || value.is_array() {
            prop_assert_eq!(serde_json::from_str::<Value>(&recorded).unwrap(), expected);
        }
    }

    #[test]
    fn any_bytes_pass(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[\\[\\]{}\":,\\\\a@.0-9 \n]{0,80}") {
        let door = door(ALL);
        for media_type in [MediaType::Json, MediaType::EventStream, MediaType::Text] {
            pass(&door, PayloadRole::OutputRaw, media_type, &bytes);
            pass(&door, PayloadRole::OutputRaw, media_type, text.as_bytes());
        }
    }
}
