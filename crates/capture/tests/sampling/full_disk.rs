//! Where the disk is full: counts are told later or from the room kept for ends, and what was refused is in no sample.

use super::*;

const ALWAYS: &str = "method = \"bernoulli\"\nprobability = 1.0";

/// Text that does not compress.
fn noise(bytes: usize) -> String {
    let mut rng = fastrand::Rng::with_seed(bytes as u64);
    std::iter::repeat_with(|| rng.alphanumeric()).take(bytes).collect()
}

/// Takes what room the disk has: records failures, which are always recorded, until one is refused. How many were begun.
async fn fill(fs: &SimFs, system: &System) -> u64 {
    // From here on the keystore has a page for the day's keys.
    decide(system, None, Outcome::Failed).await;
    let used: usize = fs.files().values().map(|bytes| bytes.len().next_multiple_of(512)).sum();
    fs.set_capacity(Some(used as u64));
    for begun in 1..1_000 {
        let mut decision = system.begin(opening(None)).await.unwrap();
        let mut events = end(Outcome::Failed);
        events[0] =
            events[0].clone().with(PayloadRole::Error, NewContent::personal(MediaType::Text, noise(20_000)));
        let ended = match decision.opened().await {
            Ok(()) => decision.finish(events).await.map(drop),
            refused => refused,
        };
        match ended {
            Ok(()) => {}
            Err(error) => {
                assert!(matches!(error, RecordError::Append(AppendError::Full(_))), "{error}");
                return begun + 1;
            }
        }
    }
    panic!("the disk was never full");
}

/// Makes room, and waits until the log takes it.
async fn relieve(fs: &SimFs, recorder: &Recorder) {
    fs.set_capacity(None);
    tokio::time::timeout(Duration::from_secs(60), async {
        while recorder.health().log.stalled.is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_found_no_room_are_told_later() {
    let fs = SimFs::new(8);
    let (recorder, system) = open_telling(&fs, SELDOM, Duration::from_millis(5)).await;
    let mut begun = fill(&fs, &system).await;
    for _ in 0..20 {
        decide(&system, None, Outcome::Answered).await;
        begun += 1;
        // The period after which counts are told passes again and again.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    relieve(&fs, &recorder).await;
    recorder.close().await.unwrap();
    let entries = simulated::read(&fs).0;
    let told = told(&entries);
    let (population, selected, always) = sums(&told)[&None];
    assert_eq!((population, selected + always), (begun, recorded(&entries).len() as u64));
    assert!(told.iter().all(|one| one.from <= one.to));
    assert!(told.windows(2).all(|two| two[0].to == two[1].from), "no time is told of twice, or not at all");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_counts_have_room_on_a_full_disk() {
    let fs = SimFs::new(9);
    let (recorder, system) = open(&fs, SELDOM).await;
    let begun = fill(&fs, &system).await;
    recorder.close().await.unwrap();
    drop((recorder, system));
    fs.set_capacity(None);
    let (recorder, _) = open(&fs, SELDOM).await;
    let entries = entries(&fs, &recorder).await;
    let told = told(&entries);
    assert_eq!(sums(&told)[&None].0, begun, "and none of them is unknown");
    let ends = entries.iter().flat_map(|entry| &entry.events);
    assert!(ends.clone().any(|event| event.kind() == Some(Kind::RecorderStopped)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_counts_as_selected_nowhere() {
    let fs = SimFs::new(11);
    let (recorder, system) = open(&fs, ALWAYS).await;
    let mut begun = fill(&fs, &system).await;
    let mut refused = 0;
    for _ in 0..5 {
        begun += 1;
        match system.begin(opening(None)).await {
            Ok(mut decision) => refused += u64::from(decision.opened().await.is_err()),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0, "the disk was full");
    relieve(&fs, &recorder).await;
    recorder.close().await.unwrap();
    let entries = simulated::read(&fs).0;
    let (population, selected, always) = sums(&told(&entries))[&None];
    assert_eq!((population, selected, always), (begun, recorded(&entries).len() as u64, 0));
    assert!(selected < population);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_be_kept_is_kept_when_the_first_try_finds_no_room() {
    let fs = SimFs::new(10);
    let (recorder, system) = open(&fs, SELDOM).await;
    let ended = || {
        let failed = NewEvent::new(ToolCall {
            attempt: None,
            error: Some(ErrorCode::Timeout),
            latency_ns: None,
            name: ClearName::new("ada@example.com").unwrap(),
            outcome: StepOutcome::Failed,
            version: None,
        });
        let mut events = vec![failed];
        events.extend(end(Outcome::Answered));
        let content = NewContent::personal(MediaType::Text, noise(20_000));
        events[1] = events[1].clone().with(PayloadRole::Error, content);
        events
    };
    let (mut bare_one, mut whole) =
        (system.begin(opening(None)).await.unwrap(), system.begin(opening(None)).await.unwrap());
    fill(&fs, &system).await;
    assert_eq!(bare_one.finish(ended()).await.err().unwrap().code(), "disk_full");
    assert_eq!(whole.finish(ended()).await.err().unwrap().code(), "disk_full");
    // What is left of its events does not tell of the tool any more.
    let recorded = bare_one.finish_bare(bare(&ended())).await.unwrap();
    assert!(recorded.index().is_some());
    relieve(&fs, &recorder).await;
    assert!(whole.finish(ended()).await.unwrap().index().is_some());
    let (entries, stored) = {
        recorder.integrate().await.unwrap();
        simulated::read(&fs)
    };
    assert_eq!(kinds(&entries, bare_one.id()), [Kind::DecisionOpened, Kind::DecisionClosed]);
    let all = [Kind::DecisionOpened, Kind::ToolCall, Kind::DecisionClosed];
    assert_eq!(kinds(&entries, whole.id()), all, "once");
    let id = whole.id();
    drop((bare_one, whole, recorded));
    recorder.close().await.unwrap();
    drop((recorder, system));
    let env = simulated::env(&fs);
    let lock = NodeLock::take(&*env.fs, Path::new(DATA)).unwrap();
    let vault = simulated::vault(&env, &lock).unwrap();
    let of: Vec<_> = stored.iter().filter(|(decision, _)| *decision == id).collect();
    assert_eq!(of.len(), 2, "what came and what went wrong");
    assert!(of.iter().all(|(_, stored)| stored.open(&vault).is_ok()), "under a key that the keystore has");
}
