pub mod command;
use crate::config::BrokerConfig;
use crate::metadata::*;
use crate::shard::*;
use crate::types::*;
pub use command::*;
use millrace_io::*;
use std::sync::Arc;
pub struct Control {
    cores: u16,
    config: Arc<BrokerConfig>,
    image: Image,
    applied: std::collections::BTreeSet<u16>,
    served: bool,
    waiting: Vec<(Offset, Ticket, Reply)>,
    stopped: u16,
}
#[allow(unused)]
impl Control {
    pub fn new(cores: u16, config: Arc<BrokerConfig>) -> Control {
        Control {
            cores,
            image: Image::new("cid", config.node_id),
            config,
            applied: Default::default(),
            served: false,
            waiting: vec![],
            stopped: 0,
        }
    }
    pub fn owns(t: Token) -> bool {
        t.0 >> 63 == 1
    }
    pub fn start(&mut self, core: &mut Core, mesh: &mut Mesh) {
        let fs = core.fs();
        let path = std::path::PathBuf::from(&self.config.log_dirs[0]);
        fs.create_dir_all(&path).unwrap();
        let id = Uuid([7; 16]);
        let reg = crate::metadata::Registration { incarnation: Uuid([1; 16]), endpoints: vec![], rack: None, log_dirs: vec![id] };
        let recs = {
            let mut r = || 5u64;
            let mut cx = Context { image: &self.image, config: &self.config, shards: self.cores, random: &mut r };
            crate::metadata::start(&mut cx, &reg)
        };
        for r in recs {
            self.image.apply(&r).unwrap();
        }
        let start = Arc::new(Start {
            cluster_id: "cid".into(),
            dirs: vec![LogDir {
                path,
                id,
                clean: false,
                offline: None,
                recovery_points: Default::default(),
                log_starts: Default::default(),
            }],
        });
        for c in 0..self.cores {
            mesh.note(ShardId(c), Note::Start(start.clone()));
            mesh.note(ShardId(c), Note::Publish(Arc::new(self.image.clone())));
        }
    }
    pub fn command(&mut self, core: &mut Core, mesh: &mut Mesh, t: Ticket, c: Command) {
        let mut out = Vec::new();
        let mut r = || core.random();
        let mut cx = Context { image: &self.image, config: &self.config, shards: self.cores, random: &mut r };
        let mut create = |cx: &mut Context, names: Vec<NewTopic>, out: &mut Vec<Record>| {
            let d = create_topics(cx, &names, false);
            out.extend(d.records);
            d.answers
        };
        let reply = match c {
            Command::CreateTopics(q) => {
                let n = q
                    .topics
                    .iter()
                    .map(|t| NewTopic {
                        name: t.name.clone(),
                        num_partitions: t.num_partitions,
                        replication_factor: t.replication_factor,
                        ..Default::default()
                    })
                    .collect::<Vec<_>>();
                create(&mut cx, n, &mut out);
                Reply::CreateTopics(Default::default())
            }
            Command::AutoCreate(names) => {
                let n = names.iter().map(|n| auto_created(n, &self.config)).collect();
                let a = create(&mut cx, n, &mut out);
                Reply::AutoCreate(
                    names.into_iter().zip(a).map(|(name, a)| AutoCreated { name, result: a.map(|c| c.id).map_err(|r| r.code) }).collect(),
                )
            }
            Command::AllocateProducerIds => {
                let id = self.image.next_producer_id;
                self.image.next_producer_id += 1000;
                Reply::ProducerIds(Ok(id..id + 1000))
            }
            c => c.refused(crate::error::ErrorCode::UnknownServerError),
        };
        for r in &out {
            self.image.apply(r).unwrap();
        }
        self.applied.clear();
        self.waiting.push((self.image.end, t, reply));
        for c in 0..self.cores {
            mesh.note(ShardId(c), Note::Publish(Arc::new(self.image.clone())));
        }
    }
    pub fn note(&mut self, core: &mut Core, mesh: &mut Mesh, from: ShardId, n: Note) {
        match n {
            Note::Applied { image } => {
                if image == self.image.end {
                    self.applied.insert(from.0);
                }
                if self.applied.len() == self.cores as usize {
                    if !self.served {
                        self.served = true;
                        for c in 0..self.cores {
                            mesh.note(ShardId(c), Note::Serve);
                        }
                    }
                    for (_, t, r) in self.waiting.drain(..) {
                        mesh.answer(t, Answer::Control(r));
                    }
                }
            }
            Note::Stopped => {
                self.stopped += 1;
                if self.stopped == self.cores {
                    for c in 0..self.cores {
                        mesh.note(ShardId(c), Note::Halt);
                    }
                }
            }
            Note::DirectoryFailed { why, .. } => fatal(4, &why),
            _ => {}
        }
    }
    pub fn file_done(&mut self, core: &mut Core, t: Token, r: Result<Done>) {}
    pub fn chore_done(&mut self, core: &mut Core, t: Token, r: ChoreOutput) {}
    pub fn flush(&mut self, core: &mut Core, mesh: &mut Mesh) {}
    pub fn expire(&mut self, core: &mut Core, now: Instant) {}
    pub fn deadline(&self) -> Option<Instant> {
        None
    }
    pub fn stop(&mut self, mesh: &mut Mesh) {
        for c in 0..self.cores {
            mesh.note(ShardId(c), Note::Stop);
        }
    }
}
