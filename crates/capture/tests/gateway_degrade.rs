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

use degrading::{
    ANSWER, DEGRADE, Running, ask, futures, long_answer, marker, names_decision, read, used, wal,
};
use gateway::{infer, route, status};
use inferlog_disk::sim::{Fault, How, Op, SimFs};
use inferlog_record::body::{Body, GapReason};
use std::time::Duration;
use streaming::{ASK, Client, DONE, STOP, Upstream, chat, delta};
use support::{RawServer, Then, exchange};

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
