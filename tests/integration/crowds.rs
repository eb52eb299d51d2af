//! Slow, idle, silent and greedy connections: they cost bounded memory, are closed on time, and the others are served.

use crate::broker::{PATIENCE, wait_for};
use crate::client::{Client, FETCH, batch_of, request};
use crate::victim::{TOPIC, Victim};
use millrace::wire::api::ApiKey;
use millrace::wire::messages::FetchResponse;
use millrace::wire::{Message, Reader};
use millrace_io::blocking::Stream;
use std::process::Command;
use std::time::{Duration, Instant};

/// Test and broker may have this many files open; the broker inherits it.
fn raise_open_files() -> bool {
    let me = std::process::id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &me, "--nofile=8192:8192"]).output();
    raised.is_ok_and(|output| output.status.success())
}

#[test]
fn two_thousand_idle_connections_cost_little_and_disturb_nobody() {
    if !raise_open_files() {
        eprintln!("SKIPPED: 2,000 connections need `prlimit` and a limit of 8,192 open files");
        return;
    }
    let mut victim = Victim::new(&[]);
    let crowd: Vec<Stream> = (0..2000).map(|_| Stream::connect(&victim.broker.address, PATIENCE).unwrap()).collect();
    // Every tenth has sent half of a length, every other tenth half of a request.
    let half = &request(3, 9, |w| w.raw(&[0; 200]))[..100];
    for (at, stream) in crowd.iter().enumerate() {
        match at % 10 {
            0 => stream.try_clone().unwrap().write_all(&[0, 0]).unwrap(),
            1 => stream.try_clone().unwrap().write_all(half).unwrap(),
            _ => {}
        }
    }
    victim.assert_unharmed("two thousand connections");
    // What README promises of idle connections: some KiB each, and a buffer for each that has begun to speak.
    victim.assert_memory_within(96 << 20);
    drop(crowd);
    victim.assert_unharmed("two thousand farewells");
}

#[test]
fn half_open_and_dribbling_clients_are_served_when_they_are_done() {
    let mut victim = Victim::new(&[]);
    let bytes = request(18, 2, |_| {});
    let mut dribbling = victim.client();
    for (at, byte) in bytes.iter().enumerate() {
        assert!(dribbling.say(&[*byte]));
        if at % 5 == 0 {
            victim.assert_unharmed("a byte");
        }
    }
    assert!(dribbling.hear().is_some(), "its request is whole now");
    // One that says no more gets its answers first.
    let mut half = victim.client();
    half.say(&[&bytes[..], &bytes[..]].concat());
    half.stream.finish().unwrap();
    assert!(half.hear().is_some() && half.hear().is_some());
    half.expect_hang_up("a client that has finished");
    // One that ends in the middle of a frame.
    let mut middle = victim.client();
    middle.say(&bytes[..6]);
    middle.stream.finish().unwrap();
    middle.expect_hang_up("half a frame and the end");
    victim.assert_unharmed("half-open clients");
}

#[test]
fn readers_that_never_read_hold_bounded_memory() {
    let mut victim = Victim::new(&[]);
    let mut client = victim.client();
    let value = vec![0x5a; 900_000];
    for _ in 0..30 {
        let produced = client.produce(TOPIC, -1, &[(0, Some(&batch_of(&[&value])))]);
        assert!(produced[0].error_code.is_ok());
    }
    let asked = Client::fetch_request(TOPIC, 0, 0, 50 << 20);
    let mut greedy: Vec<Client> = (0..20).map(|_| victim.client()).collect();
    // Until the broker takes no more of it, which shows as a write that does not end.
    for client in &mut greedy {
        client.stream.set_timeout(Duration::from_millis(30)).unwrap();
        for _ in 0..2000 {
            if client.send(ApiKey::Fetch, FETCH, |w| asked.encode(w, FETCH)).is_err() {
                break;
            }
        }
    }
    victim.assert_unharmed("readers that do not read");
    // Two of the largest answers would be 50 MiB for each of them, and they have asked for thousands.
    victim.assert_memory_within(768 << 20);
    // One that begins to read gets all that it has asked for, whole.
    let mut late = greedy.pop().unwrap();
    late.stream.set_timeout(PATIENCE).unwrap();
    for _ in 0..3 {
        let body = late.receive(ApiKey::Fetch, FETCH).unwrap();
        let response = FetchResponse::decode(&mut Reader::new(&body), FETCH).unwrap();
        let records = response.responses[0].partitions[0].records.clone().unwrap();
        assert!(records.len() > 25 << 20);
    }
    drop(greedy);
    victim.assert_unharmed("readers that went");
}

#[test]
fn idle_connections_are_closed_on_time() {
    let mut victim = Victim::new(&["connections.max.idle.ms=1500"]);
    let began = Instant::now();
    let mut silent = victim.client();
    let mut half = victim.client();
    half.say(&[0, 0, 0, 9, 0]);
    let mut busy = victim.client();
    let mut closed = 0;
    silent.stream.set_timeout(Duration::from_millis(50)).unwrap();
    half.stream.set_timeout(Duration::from_millis(50)).unwrap();
    let mut open = vec![silent, half];
    wait_for("idle connections to be closed", || {
        // Somebody who speaks is not idle.
        busy.say(&request(18, 0, |_| {}));
        assert!(busy.hear().is_some(), "closed although it speaks");
        open.retain_mut(|client| match client.stream.read(&mut [0; 8]) {
            Ok(0) => {
                closed += 1;
                assert!(began.elapsed() >= Duration::from_millis(1400), "closed after {:?}", began.elapsed());
                false
            }
            _ => true,
        });
        open.is_empty().then_some(())
    });
    assert_eq!(closed, 2);
    victim.assert_unharmed("idle connections");
}

#[test]
fn more_connections_than_allowed_are_closed_at_once() {
    let mut victim = Victim::new(&["max.connections.per.ip=4", "millrace.cores=1"]);
    let answered = |mut client: Client| {
        client.say(&request(18, 0, |_| {}));
        client.hear().map(|_| client)
    };
    // Those that the start has left behind may not be gone yet.
    let allowed: Vec<Client> = (0..4).map(|_| wait_for("room", || answered(victim.client()))).collect();
    let mut fifth = victim.client();
    fifth.expect_hang_up("a fifth connection");
    drop(allowed);
    wait_for("room again", || answered(victim.client()));
    victim.assert_unharmed("a crowd");
}

#[test]
fn a_long_poll_ends_with_its_connection() {
    let mut victim = Victim::new(&[]);
    for _ in 0..200 {
        let mut client = victim.client();
        let asked =
            millrace::wire::messages::FetchRequest { max_wait_ms: 600_000, min_bytes: 1, ..Client::fetch_request(TOPIC, 0, 0, 1 << 20) };
        client.send(ApiKey::Fetch, FETCH, |w| asked.encode(w, FETCH)).unwrap();
    }
    victim.assert_unharmed("long polls of clients that have gone");
    let produced = victim.client().produce(TOPIC, -1, &[(0, Some(&batch_of(&[b"x"])))]);
    assert!(produced[0].error_code.is_ok());
    victim.assert_unharmed("their answers");
}
