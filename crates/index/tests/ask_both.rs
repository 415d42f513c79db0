//! The same questions to SQLite and PostgreSQL: the same answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/postgres.rs"]
mod server;
mod world;

use std::ops::ControlFlow;

use inferlog_index::find::{Query, count, find};
use inferlog_index::postgres::{Interrupt, Place, PostgresEngine};
use inferlog_index::stats::{Dimension, Price, StatsQuery, Window, stats};
use inferlog_index::{FacetFilter, FollowOptions, Reader, locate, skipped};
use inferlog_record::Pseudonym;
use serde_json::{Value, json};
use server::Server;
use world::{World, catch_up};

fn found(reader: &mut Reader, query: &Query) -> Value {
    let mut all = Vec::new();
    let page = find(reader, query, &mut |found| {
        all.push(serde_json::to_value(found).unwrap());
        ControlFlow::Continue(())
    });
    let next = page.unwrap().next.map(|token| token.to_string());
    json!({ "found": all, "next": next, "count": count(reader, query).unwrap() })
}

fn queries() -> Vec<Query> {
    let some = |text: &str| Some(text.to_owned());
    let facet = |facet: FacetFilter| Query { facet, ..Query::default() };
    vec![
        Query::default(),
        Query { limit: Some(5), ..Query::default() },
        facet(FacetFilter { model: some("m-1"), ..FacetFilter::default() }),
        facet(FacetFilter { outcome: some("answered"), overridden: Some(true), ..FacetFilter::default() }),
        facet(FacetFilter { environment: some("prod"), route: some("a"), ..FacetFilter::default() }),
        Query { tool: some("search"), limit: Some(3), ..Query::default() },
        Query { text: some("FILTER"), ..Query::default() },
        Query { text: some("m-2"), limit: Some(4), ..Query::default() },
        Query { subject: Some(Pseudonym::new([1; 16])), ..Query::default() },
        Query { identifier: Some([7; 16]), ..Query::default() },
    ]
}

#[test]
fn each_question_has_one_answer() {
    let server = Server::start();
    let place = Place::parse(&server.database("ask")).unwrap();
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("index.sqlite");
    let mut world = World::new();
    let entries = world::stories::stories(23, 700);
    for log in ["alpha", "beta"] {
        world.log(log);
        let of_log: Vec<_> = entries.iter().filter(|(name, _)| *name == log).cloned().collect();
        world.publish(&of_log);
    }
    catch_up(&mut world.follower(&file));
    let engine = PostgresEngine::new(place.clone(), Interrupt::default());
    let options = FollowOptions { name: "postgres".to_owned(), ..FollowOptions::default() };
    let caught = world.follower_of(engine, options).catch_up(&mut |_| ControlFlow::Continue(())).unwrap();
    assert!(caught.is_complete && caught.entries > 600);

    let mut local = Reader::sqlite(&file).unwrap();
    let mut central = Reader::postgres(&place, &Interrupt::default()).unwrap();
    let all = found(&mut local, &Query::default());
    let all = all["found"].as_array().unwrap();
    assert!(all.len() > 20, "{}", all.len());
    for query in queries() {
        assert_eq!(found(&mut local, &query), found(&mut central, &query), "{query:?}");
    }
    let price = |from_ns, input| {
        let (model, currency) = ("m-*".to_owned(), "EUR".to_owned());
        Price { model, from_ns, currency, input, output: 2.0, cached: None }
    };
    for by in [Window::None, Window::Minute, Window::Hour, Window::Day] {
        let group = vec![Dimension::Model, Dimension::Outcome];
        let prices = Some(vec![price(0, 1.0), price(120_000_000_000, 3.0)]);
        let query = StatsQuery { by, group, prices, ..StatsQuery::default() };
        let [one, other] = [&mut local, &mut central].map(|reader| {
            let stats = stats(reader, &query).unwrap();
            assert_eq!(stats.total.decisions, all.len() as i64);
            assert!(stats.total.cost.as_ref().unwrap()["EUR"] > 0.0);
            serde_json::to_value(stats).unwrap()
        });
        assert_eq!(one, other, "{by:?}");
    }
    for decision in all {
        let id = decision["decision"].as_str().unwrap().parse().unwrap();
        let located = locate(&mut local, id).unwrap();
        assert_eq!(located, locate(&mut central, id).unwrap());
        assert!(located.iter().any(|log| !log.entries.is_empty()));
    }
    assert_eq!(skipped(&mut local).unwrap(), skipped(&mut central).unwrap());
}
