//! Sockets of the real world, over loopback.

mod common;

use common::{options, pattern, run, run_all, serve};
use millrace_io::{BufMut, Core, CoreId, Event, File, OpenHow, Piece, SocketId, Token, real};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Sends back whatever comes.
fn echo(core: &mut Core, events: &mut Vec<Event>) {
    for event in events.drain(..) {
        match event {
            Event::Accepted { socket, .. } => core.recv(socket),
            Event::Received { socket, result: Ok(Some(bytes)) } => core.send(socket, vec![Piece::Mem(bytes.freeze())]),
            Event::Sent { socket, result: Ok(()) } => core.recv(socket),
            Event::Received { socket, .. } | Event::Sent { socket, .. } => core.close(socket),
            _ => {}
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Writes all of `bytes` and reads as many back, both at once.
fn exchange(stream: &TcpStream, bytes: &[u8]) {
    std::thread::scope(|scope| {
        scope.spawn(|| (&*stream).write_all(bytes).unwrap());
        let mut back = vec![0; bytes.len()];
        (&*stream).read_exact(&mut back).unwrap();
        assert!(back == bytes, "{} bytes came back changed", bytes.len());
    });
}

#[test]
fn many_connections_get_back_what_they_sent_whatever_its_size() {
    let server = serve(options(), |core, events| {
        echo(core, events);
        None
    });
    std::thread::scope(|scope| {
        for client in 0..40u64 {
            let address = server.address;
            scope.spawn(move || {
                let stream = connect(address);
                for len in [1, 2, 100, 2047, 2048, 2049, 4096, 5000, 16383, 16384, 16385, 70_000, 1_000_003] {
                    exchange(&stream, &pattern(len, client));
                }
            });
        }
    });
}

#[test]
fn a_request_that_dribbles_in_byte_by_byte_arrives_whole() {
    let server = serve(options(), |core, events| {
        echo(core, events);
        None
    });
    let mut stream = connect(server.address);
    for byte in pattern(300, 7) {
        stream.write_all(&[byte]).unwrap();
        let mut back = [0];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back, [byte]);
    }
}

/// Frames of a 4-byte length and bytes; the rest of a frame is received in place. Answers with the frame.
fn echo_frames(core: &mut Core, events: &mut Vec<Event>) {
    for event in events.drain(..) {
        match event {
            Event::Accepted { socket, .. } | Event::Sent { socket, .. } => core.recv(socket),
            Event::Received { socket, result: Ok(Some(mut frame)) } => {
                let len = 4 + u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize;
                if frame.len() == len {
                    core.send(socket, vec![Piece::Mem(frame.freeze())]);
                    continue;
                }
                if frame.capacity() < len {
                    let mut larger = core.pool().take(len).unwrap();
                    larger.extend(&frame);
                    larger.limit(len);
                    frame = larger;
                }
                core.recv_into(socket, frame);
            }
            Event::Received { socket, .. } => core.close(socket),
            _ => {}
        }
    }
}

#[test]
fn a_frame_of_megabytes_is_received_in_place() {
    let server = serve(options(), |core, events| {
        echo_frames(core, events);
        None
    });
    std::thread::scope(|scope| {
        for client in 0..3u64 {
            let address = server.address;
            scope.spawn(move || {
                let stream = connect(address);
                for len in [100_000usize, 5_000_000, 17_000_001] {
                    let mut frame = u32::try_from(len).unwrap().to_be_bytes().to_vec();
                    frame.extend(pattern(len, client));
                    exchange(&stream, &frame);
                }
            });
        }
    });
}

#[test]
fn pieces_of_memory_and_files_leave_in_order_also_to_a_slow_reader() {
    let dir = common::TempDir::new("pieces");
    let path = dir.path().join("data");
    let data = pattern(9_000_000, 3);
    std::fs::write(&path, &data).unwrap();
    let memory = pattern(3000, 4);
    let large = pattern(3_000_000, 5);

    let mut expected = Vec::new();
    expected.extend_from_slice(&memory[..10]);
    expected.extend_from_slice(&data[1..8_000_001]);
    expected.extend_from_slice(&memory[10..]);
    expected.extend_from_slice(&large);
    expected.extend_from_slice(&data[5000..5001]);
    expected.extend_from_slice(&data[8_999_990..]);
    // More parts than one call takes.
    expected.extend((0..2500).flat_map(|i| memory[i..i + 3].to_vec()));

    let (done, sent) = channel();
    let server = serve(options(), move |core, events| {
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => {
                    let file = core.fs().open(&path, OpenHow::READ).unwrap();
                    let mem = |core: &mut Core, bytes: &[u8]| {
                        let mut buf = core.pool().take(bytes.len()).unwrap();
                        buf.extend(bytes);
                        buf.freeze()
                    };
                    let piece = |position, len| Piece::File { file: file.clone(), position, len };
                    let small = mem(core, &memory);
                    let mut pieces = vec![
                        Piece::Mem(small.slice(0..10)),
                        piece(1, 8_000_000),
                        piece(77, 0),
                        Piece::Mem(small.slice(10..3000)),
                        Piece::Mem(small.slice(5..5)),
                        Piece::Mem(mem(core, &large)),
                        piece(5000, 1),
                        piece(8_999_990, 10),
                    ];
                    pieces.extend((0..2500).map(|i| Piece::Mem(small.slice(i..i + 3))));
                    core.send(socket, pieces);
                }
                Event::Sent { socket, result } => {
                    done.send(result.is_ok()).unwrap();
                    core.close(socket);
                }
                _ => {}
            }
        }
        None
    });
    let mut stream = connect(server.address);
    let mut received = Vec::new();
    let mut part = vec![0; 30_011];
    // Reads little at a time and slower than it is sent, so that the socket is full again and again.
    loop {
        match stream.read(&mut part).unwrap() {
            0 => break,
            n => received.extend_from_slice(&part[..n]),
        }
        if received.len() % 7 == 0 {
            std::thread::yield_now();
        }
    }
    assert_eq!(received.len(), expected.len());
    assert!(received == expected);
    assert!(sent.recv().unwrap());
}

#[test]
fn a_reader_that_reads_nothing_holds_up_only_itself() {
    let dir = common::TempDir::new("stuck");
    let path = dir.path().join("data");
    std::fs::write(&path, pattern(32 << 20, 3)).unwrap();
    let server = serve(options(), move |core, events| {
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => core.recv(socket),
                Event::Received { socket, result: Ok(Some(asked)) } => {
                    let file = core.fs().open(&path, OpenHow::READ).unwrap();
                    let len = if asked[0] == b'L' { 32 << 20 } else { 1 };
                    core.send(socket, vec![Piece::File { file, position: 0, len }]);
                }
                Event::Sent { socket, result: Ok(()) } => core.recv(socket),
                Event::Sent { socket, .. } | Event::Received { socket, .. } => core.close(socket),
                _ => {}
            }
        }
        None
    });
    let mut stuck = connect(server.address);
    stuck.write_all(b"L").unwrap();
    // The answer has begun, and nobody reads on.
    let mut byte = [0];
    stuck.read_exact(&mut byte).unwrap();
    let mut other = connect(server.address);
    for _ in 0..1000 {
        other.write_all(b"s").unwrap();
        other.read_exact(&mut byte).unwrap();
    }
    // It goes on where it was.
    let mut rest = vec![0; (32 << 20) - 1];
    stuck.read_exact(&mut rest).unwrap();
    assert!(rest == pattern(32 << 20, 3)[1..]);
}

#[test]
fn a_file_that_is_shorter_than_promised_breaks_the_send() {
    let dir = common::TempDir::new("short");
    let path = dir.path().join("data");
    std::fs::write(&path, b"12345").unwrap();
    let (done, result) = channel();
    let server = serve(options(), move |core, events| {
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => {
                    let file = core.fs().open(&path, OpenHow::READ).unwrap();
                    core.send(socket, vec![Piece::File { file, position: 0, len: 6 }]);
                }
                Event::Sent { socket, result } => {
                    done.send(result).unwrap();
                    core.close(socket);
                }
                _ => {}
            }
        }
        None
    });
    let mut received = Vec::new();
    connect(server.address).read_to_end(&mut received).unwrap();
    assert_eq!(received, b"12345");
    assert_eq!(result.recv().unwrap().unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof);
}

#[test]
fn after_close_no_event_names_the_socket_and_its_memory_returns() {
    // Each connection has a receive in flight, half of them into a buffer of their own, and a send that cannot end.
    let (report, reports) = channel();
    let mut closed: Vec<SocketId> = Vec::new();
    let server = serve(options(), move |core, events| {
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => {
                    assert!(!closed.contains(&socket), "an id is used once");
                    if closed.len().is_multiple_of(2) {
                        core.recv(socket);
                    } else {
                        let into = core.pool().take(1 << 20).unwrap();
                        core.recv_into(socket, into);
                    }
                    let mut large = core.pool().take(16 << 20).unwrap();
                    large.resize(16 << 20);
                    core.send(socket, vec![Piece::Mem(large.freeze())]);
                    // A second turn closes it, when the kernel has both.
                    let this = core.id();
                    core.tell(this, Box::new(socket));
                }
                Event::Mesh { parcel, .. } => {
                    let socket = *parcel.downcast::<SocketId>().unwrap();
                    core.close(socket);
                    core.close(socket);
                    // A closed socket takes nothing any more.
                    core.recv(socket);
                    core.send(socket, Vec::new());
                    closed.push(socket);
                }
                Event::Received { socket, .. } | Event::Sent { socket, .. } => {
                    panic!("{socket:?} was closed: {}", closed.contains(&socket))
                }
                _ => {}
            }
        }
        report.send(core.pool().taken()).unwrap();
        Some(core.now() + Duration::from_millis(5))
    });
    let stock = reports.recv().unwrap();
    for _ in 0..20 {
        let mut sink = Vec::new();
        // The server closes in the middle.
        let _ = connect(server.address).read_to_end(&mut sink);
        assert!(sink.len() < 16 << 20);
    }
    let began = std::time::Instant::now();
    while reports.recv_timeout(Duration::from_secs(20)).unwrap() > stock {
        assert!(began.elapsed() < Duration::from_secs(20), "memory is still out");
    }
}

#[test]
fn a_reset_by_the_peer_is_an_error_and_an_end_is_not() {
    let (report, reports) = channel();
    let (accepted, accepts) = channel();
    let server = serve(options(), move |core, events| {
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => {
                    core.recv(socket);
                    accepted.send(()).unwrap();
                }
                Event::Received { socket, result } => {
                    report.send(result.map(|bytes| bytes.map(|bytes| bytes.len()))).unwrap();
                    core.close(socket);
                }
                _ => {}
            }
        }
        None
    });
    drop(connect(server.address));
    assert!(reports.recv().unwrap().unwrap().is_none());
    let stream = connect(server.address);
    // Accepted the first one, and now this one.
    accepts.recv().unwrap();
    accepts.recv().unwrap();
    reset_on_close(&stream);
    drop(stream);
    assert_eq!(reports.recv().unwrap().unwrap_err().raw_os_error(), Some(libc::ECONNRESET));
}

/// Makes the kernel send RST instead of FIN.
fn reset_on_close(stream: &TcpStream) {
    use std::os::fd::AsRawFd;
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let len = libc::socklen_t::try_from(size_of::<libc::linger>()).unwrap();
    // SAFETY: `linger` outlives the call and is as long as said.
    let done = unsafe { libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, (&raw const linger).cast(), len) };
    assert_eq!(done, 0);
}

#[test]
fn a_send_to_a_peer_that_is_gone_fails() {
    let (report, reports) = channel();
    let server = serve(options(), move |core, events| {
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => {
                    let mut large = core.pool().take(8 << 20).unwrap();
                    large.resize(8 << 20);
                    core.send(socket, vec![Piece::Mem(large.freeze())]);
                }
                Event::Sent { socket, result } => {
                    report.send(result).unwrap();
                    core.close(socket);
                }
                _ => {}
            }
        }
        None
    });
    let mut stream = connect(server.address);
    stream.read_exact(&mut [0; 100]).unwrap();
    reset_on_close(&stream);
    drop(stream);
    let error = reports.recv().unwrap().unwrap_err();
    assert!(matches!(error.raw_os_error(), Some(libc::ECONNRESET | libc::EPIPE)), "{error}");
}

#[test]
fn idle_connections_hold_no_buffers() {
    let (report, reports) = channel();
    let mut accepted = 0;
    let mut stock = 0;
    let server = serve(options(), move |core, events| {
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => {
                    if accepted == 0 {
                        stock = core.pool().taken();
                    }
                    accepted += 1;
                    core.recv(socket);
                    if accepted == 1000 {
                        report.send(core.pool().taken() - stock).unwrap();
                    }
                }
                Event::Received { socket, result: Ok(Some(_)) } => {
                    report.send(core.pool().taken() - stock).unwrap();
                    core.recv(socket);
                }
                Event::Received { socket, .. } => core.close(socket),
                _ => {}
            }
        }
        None
    });
    let mut clients: Vec<_> = (0..1000).map(|_| connect(server.address)).collect();
    assert_eq!(reports.recv_timeout(Duration::from_secs(30)).unwrap(), 0);
    // One that wakes up holds one small buffer while it is looked at.
    clients[500].write_all(b"hello").unwrap();
    assert_eq!(reports.recv_timeout(Duration::from_secs(30)).unwrap(), 4096);
}

#[test]
fn when_the_pool_is_full_receives_wait_until_memory_comes_back_from_another_thread() {
    // Room for the stock (one eighth: 8 buffers) and little more. Everything that is received is held.
    let options = real::Options { pool_bytes_per_core: 1 << 20, ..options() };
    let held: Arc<Mutex<Vec<BufMut>>> = Arc::default();
    let (report, reports) = channel();
    let holder = held.clone();
    let server = serve(options, move |core, events| {
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => core.recv(socket),
                Event::Received { socket, result: Ok(Some(bytes)) } => {
                    let len = bytes.len();
                    assert!(core.pool().taken() <= core.pool().budget());
                    holder.lock().unwrap().push(bytes);
                    report.send(len).unwrap();
                    core.recv(socket);
                }
                Event::Received { socket, .. } => core.close(socket),
                _ => {}
            }
        }
        None
    });
    let total = 8 << 20;
    let sent: usize = std::thread::scope(|scope| {
        for client in 0..4 {
            let address = server.address;
            scope.spawn(move || connect(address).write_all(&pattern(total / 4, client)).unwrap());
        }
        let (mut received, mut waited) = (0, 0);
        while received < total {
            match reports.recv_timeout(Duration::from_millis(200)) {
                Ok(len) => received += len,
                Err(_) => {
                    // Silence: the pool is used up. From this thread, give back what was received.
                    let mut held = held.lock().unwrap();
                    assert!(!held.is_empty(), "nothing is held and yet nothing comes, {received} bytes after the start");
                    held.clear();
                    waited += 1;
                }
            }
        }
        assert!(waited >= 4, "8 MiB went through 1 MiB without waiting");
        received
    });
    assert_eq!(sent, total);
}

#[test]
fn the_cores_of_a_process_share_a_port_and_nobody_else_gets_it() {
    // Core 0 listens and tells core 1 where; whoever gets a connection reports itself. Parcels of `()` end a core.
    let (report, reports) = channel();
    let turns = (0..2)
        .map(|id| {
            let report = report.clone();
            let mut control = None;
            let turn: common::Turn = Box::new(move |core: &mut Core, events: &mut Vec<Event>| {
                if id == 0 && control.is_none() {
                    let [shared, ending] = [(); 2].map(|()| core.listen("127.0.0.1:0".parse().unwrap()).unwrap());
                    control = Some(ending);
                    let addresses = (core.listener_address(shared), core.listener_address(ending));
                    core.tell(CoreId(1), Box::new(addresses));
                }
                for event in events.drain(..) {
                    match event {
                        Event::Accepted { listener, .. } if Some(listener) == control => {
                            core.tell(CoreId(1), Box::new(()));
                            core.stop();
                        }
                        Event::Accepted { socket, .. } => {
                            report.send((core.id(), None)).unwrap();
                            core.close(socket);
                        }
                        Event::Mesh { parcel, .. } => match parcel.downcast::<(SocketAddr, SocketAddr)>() {
                            Ok(addresses) => {
                                core.listen(addresses.0).unwrap();
                                report.send((core.id(), Some(*addresses))).unwrap();
                            }
                            Err(_) => core.stop(),
                        },
                        _ => {}
                    }
                }
                None
            });
            turn
        })
        .collect();
    let cores = std::thread::spawn(move || run_all(&options(), turns));
    let (address, control) = reports.recv_timeout(Duration::from_secs(20)).unwrap().1.unwrap();

    // Both get connections.
    let mut by_core = BTreeMap::new();
    while by_core.len() < 2 {
        let _connection = connect(address);
        *by_core.entry(reports.recv_timeout(Duration::from_secs(20)).unwrap().0).or_insert(0) += 1;
        assert!(by_core.values().sum::<i32>() < 1000, "one core gets everything: {by_core:?}");
    }
    // Another process (here: another set of cores) is refused, though it would share as well.
    run(move |core, _| {
        assert_eq!(core.listen(address).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
        core.stop();
        None
    });
    drop(connect(control));
    cores.join().unwrap();
}

#[test]
fn after_unlisten_nobody_gets_in_and_the_port_is_free() {
    let (report, reports) = channel();
    let (go_on, gone) = channel::<()>();
    let thread = std::thread::spawn(move || {
        let mut listener = None;
        let mut second = false;
        run(move |core, events| {
            match listener {
                None => {
                    let id = core.listen("127.0.0.1:0".parse().unwrap()).unwrap();
                    listener = Some(id);
                    report.send(core.listener_address(id)).unwrap();
                }
                Some(id) if !second && events.iter().any(|event| matches!(event, Event::Accepted { .. })) => {
                    second = true;
                    core.unlisten(id);
                    core.unlisten(id);
                }
                Some(_) if second => {
                    gone.recv().unwrap();
                    core.stop();
                }
                Some(_) => {}
            }
            Some(core.now() + Duration::from_millis(1))
        });
    });
    let address = reports.recv().unwrap();
    let _first = connect(address);
    let began = std::time::Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(began.elapsed() < Duration::from_secs(20), "still listening");
    }
    TcpListener::bind(address).expect("free again");
    go_on.send(()).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_core_connects_and_is_told_when_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).unwrap();
        stream.write_all(&hello).unwrap();
    });
    let mut left = 2;
    let mut started = false;
    run(move |core, events| {
        if !std::mem::replace(&mut started, true) {
            core.connect(address, Token(1));
            core.connect(nobody, Token(2));
        }
        for event in events.drain(..) {
            match event {
                Event::Connected { token: Token(1), result } => {
                    let mut hello = core.pool().take(5).unwrap();
                    hello.extend(b"hello");
                    let socket = result.unwrap();
                    core.send(socket, vec![Piece::Mem(hello.freeze())]);
                    core.recv(socket);
                }
                Event::Connected { token, result } => {
                    assert_eq!(token, Token(2));
                    assert_eq!(result.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
                    left -= 1;
                }
                Event::Received { result, .. } => {
                    assert_eq!(&result.unwrap().unwrap()[..], b"hello");
                    left -= 1;
                }
                _ => {}
            }
        }
        if left == 0 {
            core.stop();
        }
        None
    });
    peer.join().unwrap();
}

#[test]
fn accepted_connections_do_not_delay_small_messages() {
    let (report, reports) = channel();
    let server = serve(options(), move |_, events| {
        for event in events.drain(..) {
            if let Event::Accepted { peer, .. } = event {
                report.send(peer).unwrap();
            }
        }
        None
    });
    let stream = connect(server.address);
    assert_eq!(reports.recv().unwrap(), stream.local_addr().unwrap());
    // Of all descriptors of this process, the one whose peer is our client is the server's end.
    let ours = (3..4096).find(|fd| peer_of(*fd) == Some(stream.local_addr().unwrap())).expect("the server's end");
    for (level, name) in [(libc::IPPROTO_TCP, libc::TCP_NODELAY), (libc::SOL_SOCKET, libc::SO_KEEPALIVE)] {
        let mut on: libc::c_int = 0;
        let mut len = libc::socklen_t::try_from(size_of::<libc::c_int>()).unwrap();
        // SAFETY: `on` and `len` outlive the call.
        let done = unsafe { libc::getsockopt(ours, level, name, (&raw mut on).cast(), &raw mut len) };
        assert_eq!((done, on), (0, 1));
    }
}

fn peer_of(fd: i32) -> Option<SocketAddr> {
    use std::os::fd::{FromRawFd, IntoRawFd};
    // SAFETY: only asked for its address and then given up again; a wrong descriptor just fails.
    let stream = unsafe { TcpStream::from_raw_fd(fd) };
    let peer = stream.peer_addr().ok();
    let _ = stream.into_raw_fd();
    peer
}

#[test]
fn a_file_opened_by_one_clone_serves_until_the_last_is_gone() {
    let dir = common::TempDir::new("clones");
    let path = dir.path().join("data");
    std::fs::write(&path, pattern(1 << 20, 9)).unwrap();
    let mut file: Option<File> = None;
    let server = serve(options(), move |core, events| {
        for event in events.drain(..) {
            match event {
                Event::Accepted { socket, .. } => {
                    let opened = core.fs().open(&path, OpenHow::READ).unwrap();
                    file = Some(opened.clone());
                    core.send(socket, vec![Piece::File { file: opened, position: 0, len: 1 << 20 }]);
                    core.fs().remove_file(&path).unwrap();
                    file = None;
                }
                Event::Sent { socket, .. } => core.close(socket),
                _ => {}
            }
        }
        assert!(file.is_none());
        None
    });
    let mut received = Vec::new();
    connect(server.address).read_to_end(&mut received).unwrap();
    assert!(received == pattern(1 << 20, 9));
}

#[test]
fn a_core_that_stops_takes_everything_back_from_the_kernel_first() {
    // Everything that can be on its way is: receives of both kinds, sends that cannot end, pushes, accepts, connects, disk
    // operations, and connections that come in the same moment.
    let dir = common::TempDir::new("stops");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_address = silent.local_addr().unwrap();
    for round in 0..10u64 {
        let path = dir.path().join(round.to_string());
        let (report, reports) = channel();
        let mut accepted = 0;
        let core = std::thread::spawn(move || {
            let mut listening = false;
            run(move |core, events| {
                if !std::mem::replace(&mut listening, true) {
                    let listener = core.listen("127.0.0.1:0".parse().unwrap()).unwrap();
                    report.send(core.listener_address(listener)).unwrap();
                }
                for event in events.drain(..) {
                    let Event::Accepted { socket, .. } = event else { continue };
                    accepted += 1;
                    if accepted % 2 == 0 {
                        core.recv(socket);
                    } else {
                        let into = core.pool().take(100_000).unwrap();
                        core.recv_into(socket, into);
                    }
                    let direct = OpenHow { direct: true, ..OpenHow::CREATE };
                    let file = core.fs().open(&path, direct).unwrap();
                    let mut large = core.pool().take(4 << 20).unwrap();
                    large.resize(4 << 20);
                    let large = large.freeze();
                    let whole = Piece::Mem(large.clone());
                    match accepted % 3 {
                        0 => core.send(socket, vec![whole]),
                        1 => core.send(socket, vec![whole, Piece::File { file: file.clone(), position: 0, len: 1 << 30 }]),
                        _ => core.connect(silent_address, Token(accepted)),
                    }
                    if accepted == 12 {
                        core.write(&file, 0, vec![large.clone(), large], Token(0));
                        core.sync(&file, Token(0));
                        let into = core.pool().take(1 << 20).unwrap();
                        core.read(&file, 0, into, millrace_io::ReadHow::Uncached, Token(0));
                        core.connect(silent_address, Token(0));
                        core.stop();
                    }
                }
                None
            });
        });
        let address = reports.recv().unwrap();
        let clients: Vec<_> = (0..20).map(|_| TcpStream::connect(address)).collect();
        core.join().unwrap();
        assert!(clients.iter().take(12).all(Result::is_ok));
    }
}

#[test]
fn a_core_that_spins_serves_like_one_that_sleeps() {
    let options = real::Options { spin: Duration::from_micros(200), ..options() };
    let server = serve(options, |core, events| {
        echo(core, events);
        None
    });
    let stream = connect(server.address);
    for len in [1, 5000, 200_000] {
        exchange(&stream, &pattern(len, 1));
        // Longer than it spins.
        std::thread::sleep(Duration::from_millis(1));
        exchange(&stream, &pattern(len, 2));
    }
}

#[test]
fn whatever_clients_do_all_memory_comes_back() {
    // Clients that send what is half a message, do not read, reset, half-close and vanish; a server that echoes, receives in
    // place, and hangs up on some of them whenever it likes.
    let (report, reports) = channel();
    let mut open = std::collections::BTreeSet::new();
    let server = serve(real::Options { ring_entries: 32, ..options() }, move |core, events| {
        for event in events.drain(..) {
            let moody = core.random() % 50 == 0;
            match event {
                Event::Accepted { socket, .. } => {
                    assert!(open.insert(socket));
                    core.recv(socket);
                }
                Event::Received { socket, result: Ok(Some(_)) } | Event::Sent { socket, result: Ok(()) } if moody => {
                    assert!(open.remove(&socket));
                    core.close(socket);
                }
                Event::Received { socket, result: Ok(Some(bytes)) } => {
                    assert!(open.contains(&socket));
                    core.send(socket, vec![Piece::Mem(bytes.freeze())]);
                }
                Event::Sent { socket, result: Ok(()) } if core.random() % 2 == 0 => {
                    assert!(open.contains(&socket));
                    let capacity = 1 + core.random() as usize % 40_000;
                    let into = core.pool().take(capacity).unwrap();
                    core.recv_into(socket, into);
                }
                Event::Sent { socket, result: Ok(()) } => core.recv(socket),
                Event::Received { socket, .. } | Event::Sent { socket, .. } => {
                    assert!(open.remove(&socket));
                    core.close(socket);
                }
                _ => {}
            }
        }
        report.send((open.len(), core.pool().taken())).unwrap();
        Some(core.now() + Duration::from_millis(5))
    });
    std::thread::scope(|scope| {
        for client in 0..8u64 {
            let address = server.address;
            scope.spawn(move || {
                let mut choices = pattern(4000, client).into_iter();
                let mut choose = move |of: u8| choices.next().map(|choice| choice % of);
                while let Some(messages) = choose(6) {
                    let stream = connect(address);
                    stream.set_nonblocking(true).unwrap();
                    for _ in 0..messages {
                        let len = usize::from(choose(255).unwrap_or(0)) * usize::from(choose(255).unwrap_or(0));
                        let _ = (&stream).write(&pattern(len, 1));
                        if choose(3) == Some(0) {
                            let _ = (&stream).read(&mut vec![0; len + 1]);
                        }
                    }
                    match choose(4) {
                        Some(0) => reset_on_close(&stream),
                        Some(1) => stream.shutdown(std::net::Shutdown::Write).unwrap_or(()),
                        _ => {}
                    }
                }
            });
        }
    });
    // The stock may have grown; nothing else is out.
    let began = std::time::Instant::now();
    loop {
        let (open, taken) = reports.recv_timeout(Duration::from_secs(20)).unwrap();
        if open == 0 && taken <= 4 << 20 && taken % (16 << 10) == 0 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{open} connections and {taken} bytes are left");
    }
}
