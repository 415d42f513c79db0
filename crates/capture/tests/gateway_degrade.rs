//! The failure policy `degrade`: every answer is recorded or counted, exactly, whatever fails; and a log that failed is opened
//! again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/degrading.rs"]
mod degrading;
#[path = "support/gateway.rs"]
mod gateway;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/streaming.rs"]
mod streaming;
mod support;

use degrading::{Running, Told, read, used};
use gateway::{infer, route, status};
use inferlog_disk::sim::{Fault, How, Op, SimFs};
use inferlog_record::body::{Body, GapReason};
use std::time::Duration;
use streaming::{ASK, Client, DONE, STOP, Upstream, chat, delta};
use support::{RawServer, Then, exchange};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n{\"model_name\":\"credit\",\"outputs\":[\"answer\"]}";
/// A long answer, which does not compress much.
fn long_answer() -> &'static [u8] {
    let body = format!("{{\"outputs\":[\"answer\",\"{}\"]}}", noise(9_000));
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    Box::leak((head + &body).into_bytes().into_boxed_slice())
}

const DEGRADE: &str = "failure = \"degrade\"";

async fn ask(node: &Running, bytes: usize) -> String {
    let body = format!("{{\"inputs\":[\"{}\"]}}", noise(bytes));
    exchange(node.address, &infer(&body, "")).await
}

/// Text that does not compress much.
fn noise(bytes: usize) -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(bytes).collect()
}

fn names_decision(answer: &str) -> bool {
    answer.to_lowercase().contains("inferlog-decision-id")
}

fn wal(op: Op) -> Fault {
    Fault::on(move |call| call.op == op && call.path.starts_with("/data/wal"))
}

fn marker(place: &'static str) -> Fault {
    Fault::on(move |call| {
        let name = call.path.to_string_lossy();
        call.op == Op::SyncData && name.starts_with(place) && name.contains("/degraded")
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_on_a_full_disk_are_recorded_or_counted() {
    let fs = SimFs::new(1);
    let upstream = RawServer::answering(long_answer(), Then::Close).await;
    let node = Running::start(&fs, &route(&upstream.url(), DEGRADE)).await;
    let (mut named, mut unnamed) = (0, 0);
    for round in 0..40 {
        if round == 4 {
            fs.set_capacity(Some(used(&fs)));
        }
        let asked: Vec<_> = [300, 20_000, 10, 900].map(|bytes| ask(&node, bytes)).into_iter().collect();
        for answer in futures(asked).await {
            assert_eq!(status(&answer), 200, "{answer}");
            assert!(answer.contains("answer"), "{answer}");
            if names_decision(&answer) { named += 1 } else { unnamed += 1 }
        }
    }
    assert!(unnamed > 0, "the disk was never too full");
    let metrics = node.get("/metrics").await;
    assert!(metrics.contains(&format!("inferlog_unrecorded_total{{route=\"r\"}} {unnamed}\n")), "{metrics}");
    assert!(metrics.contains("inferlog_degraded 1\n"), "{metrics}");
    let ready = node.get("/readyz").await;
    assert!(status(&ready) == 200 && ready.contains("are not recorded"), "{ready}");
    fs.set_capacity(None);
    node.told().await;
    let answer = ask(&node, 20_000).await;
    assert!(status(&answer) == 200 && names_decision(&answer), "{answer}");
    assert!(node.get("/metrics").await.contains("inferlog_degraded 0\n"));
    node.stop().await.unwrap();
    let (told, events) = read(&fs.crash()).await;
    assert_eq!((told.answered, told.missing, told.unknown), (named + 1, unnamed, 0), "{told:?}");
    assert!(told.bare > 0, "nothing was recorded without content: {told:?}");
    let gap = events.iter().find_map(|event| match &event.body {
        Body::Gap(gap) => Some(gap),
        _ => None,
    });
    let gap = gap.unwrap();
    assert_eq!((gap.why, gap.route.as_ref().unwrap().as_str()), (GapReason::StorageFull, "r"));
}

async fn futures(asked: Vec<impl Future<Output = String>>) -> Vec<String> {
    let mut answers = Vec::new();
    let mut asked: Vec<_> = asked.into_iter().map(Box::pin).collect();
    // All at once: each is polled until all are done.
    let mut done: Vec<Option<String>> = asked.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (at, one) in asked.iter_mut().enumerate() {
            if done[at].is_none()
                && let std::task::Poll::Ready(answer) = one.as_mut().poll(cx)
            {
                done[at] = Some(answer);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    answers.extend(done.into_iter().flatten());
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_commit_is_survived_counted_and_recovered_from() {
    // The sync of the opening or of the rest, lost or reported failed though it took effect; or the write before it.
    for op in [Op::SyncData, Op::Write] {
        for (skipped, how) in [(0, How::NoEffect), (0, How::Applied), (1, How::NoEffect), (1, How::Applied)] {
            let case = format!("{op:?} {skipped} {how:?}");
            let fs = SimFs::new(2);
            let upstream = RawServer::answering(ANSWER, Then::Close).await;
            let mut node = Running::start(&fs, &route(&upstream.url(), DEGRADE)).await;
            assert_eq!(status(&ask(&node, 10).await), 200, "{case}");
            fs.inject(wal(op).after(skipped).times(1).how(how));
            for _ in 0..3 {
                let answer = ask(&node, 10).await;
                assert!(status(&answer) == 200 && !names_decision(&answer), "{case}: {answer}");
            }
            assert!(node.has_failed(), "{case}");
            assert!(node.get("/readyz").await.contains("the log is poisoned"), "{case}");
            node.reopen().await.unwrap();
            let answer = ask(&node, 10).await;
            assert!(status(&answer) == 200 && names_decision(&answer), "{case}: {answer}");
            node.told().await;
            node.stop().await.unwrap();
            let (told, _) = read(&fs.crash()).await;
            // The one whose last commit took effect is recorded; no other of the three is.
            let recorded = u64::from(skipped == 1 && told.answered == 3);
            let expected = (2 + recorded, 3 - recorded, 0);
            assert_eq!((told.answered, told.missing, told.unknown), expected, "{case}: {told:?}");
            if op == Op::SyncData && (skipped, how) == (1, How::Applied) {
                assert_eq!(recorded, 1, "{case}: {told:?}");
            }
        }
    }
}

/// The keystore fails where it makes keys, or where the log hands it those that were born.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keystore_that_failed_is_opened_again() {
    let mut missing = 0;
    for (op, after) in
        [Op::Write, Op::SyncData, Op::Create, Op::Rename].into_iter().flat_map(|op| [(op, 0), (op, 2)])
    {
        let fs = SimFs::new(9);
        let upstream = RawServer::answering(ANSWER, Then::Close).await;
        let more = format!("subject = {{ header = \"x-person\" }}\n{DEGRADE}");
        let mut node = Running::start(&fs, &route(&upstream.url(), &more)).await;
        let keystore =
            move |call: &inferlog_disk::sim::Call| call.op == op && call.path.starts_with("/data/keystore");
        fs.inject(Fault::on(keystore).after(after).times(1));
        let mut served = 0;
        for person in 0..12 {
            let request = infer("{\"inputs\":[]}", &format!("x-person: {person}\r\n"));
            let answer = exchange(node.address, &request).await;
            assert_eq!(status(&answer), 200, "{op:?} {after}: {answer}");
            served += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
            if node.has_failed() && person % 4 == 3 {
                node.reopen().await.unwrap();
            }
        }
        if node.has_failed() {
            node.reopen().await.unwrap();
        }
        node.told().await;
        node.stop().await.unwrap();
        let (told, _) = read(&fs.crash()).await;
        assert_eq!((told.answered + told.missing, told.unknown), (served, 0), "{op:?} {after}: {told:?}");
        missing += told.missing;
    }
    assert!(missing > 0, "no keystore failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_marker_nothing_passes() {
    let fs = SimFs::new(3);
    let upstream = RawServer::answering(ANSWER, Then::Close).await;
    let mut node = Running::start(&fs, &route(&upstream.url(), DEGRADE)).await;
    fs.inject(wal(Op::SyncData).times(1));
    fs.inject(marker("/"));
    let answer = ask(&node, 10).await;
    assert!(status(&answer) == 503 && !answer.contains("outputs"), "{answer}");
    // One place is enough.
    fs.clear_faults();
    fs.inject(marker("/data"));
    assert_eq!(status(&ask(&node, 10).await), 200);
    // It cannot be cleared as long as one place fails, and what comes meanwhile is counted all the same.
    node.reopen().await.unwrap();
    assert_eq!(status(&ask(&node, 10).await), 200);
    tokio::time::sleep(Duration::from_millis(200)).await;
    fs.inject(wal(Op::SyncData).times(1));
    assert_eq!(status(&ask(&node, 10).await), 200);
    fs.clear_faults();
    node.reopen().await.unwrap();
    node.told().await;
    node.stop().await.unwrap();
    let (told, _) = read(&fs.crash()).await;
    assert_eq!((told.answered, told.missing, told.unknown), (1, 2, 0), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_leaves_an_unknown_gap_and_one_that_stops_a_known_one() {
    let upstream = RawServer::answering(ANSWER, Then::Close).await;
    let text = route(&upstream.url(), DEGRADE);
    // Killed, and the machine with it.
    let fs = SimFs::new(4);
    let node = Running::start(&fs, &text).await;
    fs.inject(wal(Op::SyncData).times(1));
    assert_eq!(status(&ask(&node, 10).await), 200);
    node.kill();
    let fs = fs.crash();
    let (told, events) = read(&fs).await;
    assert_eq!((told.missing, told.unknown), (0, 1), "{told:?}");
    let at = |kind| events.iter().position(|event| event.body.kind_text() == kind).unwrap();
    assert!(at("recorder.started") < at("gap"));
    // It is told once.
    assert_eq!(read(&fs).await.0.unknown, 1);

    // Stopped while the disk is full: the gap is written from the reserve.
    let fs = SimFs::new(5);
    let node = Running::start(&fs, &text).await;
    fs.set_capacity(Some(used(&fs)));
    let mut unnamed = 0;
    while unnamed < 3 {
        let answer = ask(&node, 60_000).await;
        assert_eq!(status(&answer), 200, "{answer}");
        unnamed += u64::from(!names_decision(&answer));
    }
    node.stop().await.unwrap();
    fs.set_capacity(None);
    let (told, _) = read(&fs.crash()).await;
    assert_eq!((told.missing, told.unknown, told.unclean), (unnamed, 0, 0), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_route_keeps_its_own_policy() {
    let fs = SimFs::new(6);
    let upstream = RawServer::answering(ANSWER, Then::Close).await;
    let url = upstream.url();
    let one = |name: &str, more: &str| {
        format!(
            "[[route]]\nname = \"{name}\"\nsystem = \"{name}\"\npath = \"/{name}/*\"\nupstream = \"{url}\"\n{more}\n"
        )
    };
    let mut node = Running::start(&fs, &(one("soft", DEGRADE) + &one("hard", ""))).await;
    let ask = async |node: &Running, name: &str| {
        let request = infer("{\"inputs\":[]}", "").replace("POST /v2", &format!("POST /{name}/v2"));
        exchange(node.address, &request).await
    };
    fs.inject(wal(Op::SyncData).times(1));
    assert_eq!(status(&ask(&node, "soft").await), 200);
    let refused = ask(&node, "hard").await;
    assert!(status(&refused) == 503 && !refused.contains("outputs"), "{refused}");
    let ready = node.get("/readyz").await;
    assert!(status(&ready) == 503 && ready.contains("the log is poisoned"), "{ready}");
    // No restart is needed for either.
    node.reopen().await.unwrap();
    assert_eq!(status(&node.get("/readyz").await), 200);
    for name in ["soft", "hard"] {
        let answer = ask(&node, name).await;
        assert!(status(&answer) == 200 && names_decision(&answer), "{answer}");
    }
    node.told().await;
    node.stop().await.unwrap();
    let (told, _) = read(&fs.crash()).await;
    assert_eq!((told.answered, told.missing, told.gaps, told.unknown), (2, 1, 1, 0), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_block_a_full_disk_still_records_that_nothing_was_answered() {
    let fs = SimFs::new(7);
    let upstream = RawServer::answering(long_answer(), Then::Close).await;
    let node = Running::start(&fs, &route(&upstream.url(), "")).await;
    let (mut answered, mut refused) = (0, 0);
    for round in 0..30 {
        if round == 2 {
            fs.set_capacity(Some(used(&fs)));
        }
        match status(&ask(&node, 900).await) {
            200 => answered += 1,
            503 => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!(answered > 0 && refused > 0);
    fs.set_capacity(None);
    node.stop().await.unwrap();
    let (told, events) = read(&fs.crash()).await;
    assert_eq!((told.answered, told.interrupted, told.gaps, told.unknown), (answered, 0, 0, 0), "{told:?}");
    let opened = events.iter().filter(|event| matches!(event.body, Body::DecisionOpened(_))).count() as u64;
    assert_eq!(opened, told.answered + told.failed, "an opening has no end: {told:?}");
    assert!(told.failed > 0, "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_go_on_to_their_end() {
    let fs = SimFs::new(8);
    let mut upstream = Upstream::start().await;
    let more = format!("wire = \"openai\"\njournal_ms = 20\n{DEGRADE}");
    let mut node = Running::start(&fs, &route(&upstream.url(), &more)).await;
    // The log fails before the stream begins, in its midst, and at its end; it may be opened again before that.
    for (fails_at, reopens) in [(0, false), (1, false), (1, true), (2, false)] {
        let fail = || fs.inject(wal(Op::SyncData).times(1));
        if fails_at == 0 {
            fail();
        }
        let mut client = Client::send(node.address, &chat(ASK, "inferlog-decision: agent-1\r\n")).await;
        let mut asked = upstream.asked().await;
        asked.head("text/event-stream", "").await;
        asked.chunk(delta("one")).await;
        client.until("one").await;
        assert_eq!(names_decision(&client.seen), fails_at != 0, "{}", client.seen);
        if fails_at == 1 {
            fail();
        }
        asked.chunk(delta("two")).await;
        client.until("two").await;
        tokio::time::sleep(Duration::from_millis(80)).await;
        if reopens {
            node.reopen().await.unwrap();
        }
        asked.chunk(delta("three")).await;
        client.until("three").await;
        if fails_at == 2 {
            tokio::time::sleep(Duration::from_millis(80)).await;
            fail();
        }
        asked.chunk(STOP.to_owned() + DONE).await;
        asked.end().await;
        let seen = client.rest().await;
        assert!(seen.contains("[DONE]") && seen.ends_with("0\r\n\r\n"), "{seen}");
        if node.has_failed() {
            node.reopen().await.unwrap();
        }
    }
    node.told().await;
    node.stop().await.unwrap();
    let (told, events) = read(&fs.crash()).await;
    assert_eq!((told.missing, told.unknown), (4, 0), "{told:?}");
    let calls = events.iter().filter(|event| matches!(event.body, Body::Inference(_))).count();
    assert_eq!(calls, 0, "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_in_turn_every_answer_is_accounted_for() {
    let seeds = std::env::var("SEEDS").map_or(24, |seeds| seeds.parse().unwrap());
    let first = std::env::var("SEED").map_or(0, |seed| seed.parse().unwrap());
    let mut seen = Told::default();
    for seed in first..first + seeds {
        let told = random_life(seed).await;
        seen.missing += told.missing;
        seen.unknown += told.unknown;
        seen.bare += told.bare;
    }
    if seeds >= 24 {
        assert!(seen.missing > 0 && seen.unknown > 0 && seen.bare > 0, "too little happened: {seen:?}");
    }
}

/// One directory through failures, reopenings, kills and restarts.
async fn random_life(seed: u64) -> Told {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut fs = SimFs::new(seed);
    let upstream = RawServer::answering(long_answer(), Then::Close).await;
    let text = route(&upstream.url(), DEGRADE);
    let mut node = Running::start(&fs, &text).await;
    let (mut served, mut deaths, mut refused) = (0, 0, 0);
    for _ in 0..25 {
        let what = rng.u8(0..14);
        // Every other directory lives one life, and its numbers are exact.
        match if seed.is_multiple_of(2) && (7..10).contains(&what) { u8::MAX } else { what } {
            0 | 1 => fs.set_capacity(Some(used(&fs) + rng.u64(0..40_000))),
            2 | 3 => fs.set_capacity(None),
            4 => fs.inject(wal(Op::SyncData).after(rng.u64(0..6)).times(1).how(How::NoEffect)),
            5 => fs.inject(wal(Op::SyncData).after(rng.u64(0..6)).times(1).how(How::Applied)),
            6 => fs.inject(wal(Op::Write).after(rng.u64(0..6)).times(1).how(How::Partial)),
            7 => fs.inject(marker("/").after(rng.u64(0..4)).times(rng.u64(1..4))),
            8 => {
                deaths += 1;
                node.kill();
                fs = if rng.bool() { fs.crash() } else { fs.kill() };
                fs.clear_faults();
                fs.set_capacity(None);
                node = Running::start(&fs, &text).await;
            }
            9 => {
                fs.clear_faults();
                if node.has_failed() && rng.bool() {
                    let _ = node.reopen().await;
                }
                let has_failed = node.has_failed();
                deaths += u64::from(node.stop().await.is_err() || has_failed);
                fs.set_capacity(None);
                node = Running::start(&fs, &text).await;
            }
            _ => {}
        }
        let sizes: Vec<usize> = (0..rng.usize(1..5)).map(|_| rng.usize(10..50_000)).collect();
        for answer in futures(sizes.into_iter().map(|bytes| ask(&node, bytes)).collect()).await {
            match status(&answer) {
                200 => served += 1,
                503 => {
                    assert!(!answer.contains("outputs"), "{answer}");
                    refused += 1;
                }
                // The upstream broke off: recorded as failed, or counted.
                502 => refused += 1,
                _ => panic!("seed {seed}: {answer}"),
            }
        }
        if node.has_failed() && rng.u8(0..3) == 0 {
            let _ = node.reopen().await;
        }
    }
    fs.clear_faults();
    fs.set_capacity(None);
    if node.has_failed() {
        node.reopen().await.unwrap();
    }
    node.told().await;
    node.stop().await.unwrap();
    let (told, _) = read(&fs.crash()).await;
    let known = told.answered + told.missing;
    assert!(known >= served || told.unknown > 0, "seed {seed}: {served} were answered: {told:?}");
    // What was refused for want of a marker may be recorded all the same: its commit took effect.
    let is_exact = refused > 0 || deaths > 0 || known == served;
    assert!(is_exact, "seed {seed}: {served} were answered: {told:?}");
    assert!(told.unknown <= deaths, "seed {seed}: an unknown gap without a death: {told:?}");
    told
}
